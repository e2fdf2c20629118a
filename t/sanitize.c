/*
 * sanitize - what AddressSanitizer and UBSan do in the programs and tests of a build with
 * --enable-sanitizers. They call these; the environment would not reach a program that sendmail or
 * inetd started, nor one without /proc.
 *
 * AddressSanitizer reports to files, since standard error may be the client's connection. (gcc's
 * UBSan does not obey; its process ends all the same.) Leaks are looked for under valgrind:
 * LeakSanitizer needs /proc, also in a chroot.
 */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_leaks=0:log_path=" BLACKPONY_SANITIZER_LOG;
}

const char *
__ubsan_default_options(void)
{
	return "print_stacktrace=1:log_path=" BLACKPONY_SANITIZER_LOG;
}
