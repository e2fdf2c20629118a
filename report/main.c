/*
 * blackpony-report - how much of the mail is encrypted, by what the log says
 * (doc/blackpony-report.1). Started by an administrator, or by cron. Reads logs and the policy
 * file, and tells nobody else.
 */
#include "report/report.h"
#include "report/source.h"

#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <sodium.h>

#define DAYS_AGO_MAX 36500

struct options {
	int since;
	bool json, journal;
	const char *html, *policy;
};

static void
print_usage(FILE *out)
{
	fprintf(out,
	    "usage: blackpony-report [--since date] [--json] [--html file] [--journal]\n"
	    "                        [--policy file] [logfile ...]\n"
	    "Tells from the log how much of the mail was encrypted, and how.\n"
	    "date is a day, 2026-11-01, or so many days ago, 7d. A logfile may be gzipped;\n"
	    "\"-\" is standard input. Without any: /var/log/mail.log.1 and mail.log, or else\n"
	    "the journal.\n");
}

static _Noreturn void
usage_error(void)
{
	print_usage(stderr);
	exit(EX_USAGE);
}

/* "7d" or "2026-11-01". */
static int
since(const char *text)
{
	int year, month, day;
	char *end;
	long days;

	if (strspn(text, "0123456789") == 4 && strspn(text + 4, "-") == 1 &&
	    strspn(text + 5, "0123456789") == 2 && strspn(text + 7, "-") == 1 &&
	    strspn(text + 8, "0123456789") == 2 && text[10] == '\0') {
		year = (int)strtol(text, NULL, 10);
		month = (int)strtol(text + 5, NULL, 10);
		day = (int)strtol(text + 8, NULL, 10);
		if (line_date_is_valid(year, month, day))
			return year * 10000 + month * 100 + day;
	}
	days = strtol(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || strcmp(end, "d") != 0 || days > DAYS_AGO_MAX)
		errx(EX_USAGE,
		    "--since %s: a day is wanted, such as 2026-11-01, or days, such as 7d",
		    text);
	return source_date(days);
}

static void
parse_options(struct options *o, int argc, char **argv)
{
	enum { OPT_HELP, OPT_VERSION, OPT_SINCE, OPT_JSON, OPT_HTML, OPT_JOURNAL, OPT_POLICY };
	static const struct option words[] = {
	    {"help", no_argument, NULL, OPT_HELP},
	    {"version", no_argument, NULL, OPT_VERSION},
	    {"since", required_argument, NULL, OPT_SINCE},
	    {"json", no_argument, NULL, OPT_JSON},
	    {"html", required_argument, NULL, OPT_HTML},
	    {"journal", no_argument, NULL, OPT_JOURNAL},
	    {"policy", required_argument, NULL, OPT_POLICY},
	    {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", words, NULL)) != -1) {
		switch (c) {
		case OPT_HELP:
			print_usage(stdout);
			exit(EX_OK);
		case OPT_VERSION:
			printf("blackpony-report %s\n", PACKAGE_VERSION);
			exit(EX_OK);
		case OPT_SINCE:
			o->since = since(optarg);
			break;
		case OPT_JSON:
			o->json = true;
			break;
		case OPT_HTML:
			o->html = optarg;
			break;
		case OPT_JOURNAL:
			o->journal = true;
			break;
		case OPT_POLICY:
			o->policy = optarg;
			break;
		default:
			usage_error();
		}
	}
	if (o->journal && optind < argc)
		usage_error();
}

/* All that can be read is; the first fault is the exit status. */
static int
read_logs(struct tally *t, const struct options *o, char **files)
{
	int code = EX_OK, one;

	if (o->journal)
		return source_journal(t);
	if (*files == NULL)
		return source_default(t);
	for (; *files != NULL; files++) {
		one = source_file(t, *files);
		code = code == EX_OK ? one : code;
	}
	return code;
}

/* Beside the file and then in its place: whoever serves the page never has half of one. */
static void
write_page(const struct report *r, const char *file)
{
	char path[PATH_MAX];
	const mode_t mask = umask(0);
	FILE *out;
	int fd;

	(void)umask(mask);
	if (snprintf(path, sizeof(path), "%s.XXXXXX", file) >= (int)sizeof(path))
		errx(EX_CANTCREAT, "%s: too long a name", file);
	fd = mkostemp(path, O_CLOEXEC);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (out == NULL)
		err(EX_CANTCREAT, "%s", file);
	if (!report_html(r, out) || ferror(out) || fchmod(fd, 0644 & ~mask) != 0 ||
	    fclose(out) != 0 || rename(path, file) != 0) {
		warn("%s", file);
		(void)unlink(path);
		exit(EX_CANTCREAT);
	}
}

int
main(int argc, char **argv)
{
	struct options o = {.policy = BLACKPONY_POLICY};
	static struct report r;
	int code;

	parse_options(&o, argc, argv);
	if (sodium_init() < 0)
		errx(EX_OSERR, "no randomness");
	if (!tally_init(&r.tally, o.since))
		err(EX_OSERR, "no memory");
	code = read_logs(&r.tally, &o, argv + optind);
	tally_sort_events(&r.tally);
	r.policy_file = o.policy;
	if (!advice_give(&r.advice, &r.tally, o.policy))
		err(EX_OSERR, "no memory");
	if (o.html != NULL)
		write_page(&r, o.html);
	if (o.json && !report_json(&r, stdout))
		err(EX_OSERR, "no memory");
	if (!o.json && o.html == NULL && !report_text(&r, stdout))
		err(EX_OSERR, "no memory");
	if (fflush(stdout) != 0 || ferror(stdout))
		err(EX_IOERR, "standard output");
	tally_free(&r.tally);
	return code;
}
