/*
 * client_hop - the mail host's side of the client, from its greeting to the keywords that the
 * MTA is given: finding the offer, the upgrade, EHLO. Called by client.c.
 */
#include "client.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static void
send_ehlo(struct session *s)
{
	(void)dialogue_line(&s->far.out, "EHLO %s", s->client.hello);
	engine_state(s, CLIENT_CAPS);
}

/* The suite to be used: our most preferred one that the host offers and that the monitor lets
 * us use with it. */
static const struct suite *
choose(const struct session *s, const struct advert *offer)
{
	struct suite_list list = {.count = 0};
	size_t i;

	for (i = 0; i < s->config->suites.count; i++) {
		const struct suite *suite = s->config->suites.suite[i];

		if (s->client.suites == SESSION_SUITES_ALL ||
		    suite->psk3 == (s->client.suites == SESSION_SUITES_PQ))
			list.suite[list.count++] = suite;
	}
	return suite_choose(&list, offer->suites, strlen(offer->suites));
}

static void
begin_upgrade(struct session *s, const struct advert *offer, bool by_hint)
{
	const struct suite *suite;
	struct session_request *r;

	suite = choose(s, offer);
	if (!engine_handshake_new(s)) {
		client_verdict(s, "451 4.3.0 Out of memory");
		return;
	}
	s->hs->advert = *offer;
	s->hs->suite = suite;
	(void)snprintf(s->report.suite, sizeof(s->report.suite), "%s", suite->name);
	s->report.by_hint = by_hint;
	r = engine_ask(s, SESSION_ASK_DH);
	memcpy(r->key, offer->e, NOISE_KEY);
	engine_state(s, CLIENT_DH);
}

static void
begin_rot(struct session *s, bool by_hint)
{
	(void)advert_put_command_rot(&s->far.out, s->config->rot);
	(void)snprintf(s->report.suite, sizeof(s->report.suite), "ROT%d", s->config->rot);
	s->report.by_hint = by_hint;
	engine_state(s, CLIENT_UPGRADE);
}

/* Takes the offer up if it is one that we want. False: go on without. */
static bool
take_offer(struct session *s, const struct advert *offer, bool by_hint)
{
	if (!s->client.offer || s->upgraded)
		return false;
	if (s->config->rot > 0) {
		if (offer->rot != s->config->rot)
			return false;
		begin_rot(s, by_hint);
		return true;
	}
	if (offer->rot > 0 || choose(s, offer) == NULL)
		return false;
	begin_upgrade(s, offer, by_hint);
	return true;
}

void
client_hop_upgrade(struct session *s, const uint8_t dh[NOISE_KEY])
{
	enum err fault;

	(void)snprintf(s->hello.server_name, sizeof(s->hello.server_name), "%.*s",
	    HANDSHAKE_NAME_MAX, s->client.host);
	(void)snprintf(s->hello.ehlo, sizeof(s->hello.ehlo), "EHLO %.*s",
	    HANDSHAKE_EHLO_MAX - 5, s->client.hello);
	fault = handshake_write_command(s->hs, s->config->s_public, dh, &s->hello, &s->far.out);
	if (fault != ERR_NONE)
		client_upgrade_failed(s, ERR_CRYPTO, err_text(fault));
	else
		engine_state(s, CLIENT_UPGRADE);
}

void
client_hop_records(struct session *s, struct record *record)
{
	if (engine_start_records(s, record) != ERR_NONE)
		client_lost(s, err_text(ERR_RESOURCE));
	else
		engine_state(s, CLIENT_CAPS);
}

/* The host's final word on the XPONY line. */
static void
upgrade_reply(struct session *s, const struct smtp_reply *r, const uint8_t *p)
{
	struct record *record;
	char said[SESSION_TEXT_MAX];

	if (r->code != 220) {
		dialogue_text(said, sizeof(said), p, smtp_line_text(p, smtp_line(p, r->len)));
		/* 454 is the host's word for a broken handshake; the rest is about the line. */
		client_upgrade_failed(s, r->code == 454 ? ERR_CRYPTO : ERR_REFUSED, said);
		return;
	}
	if (s->config->rot > 0) {
		buf_drop(&s->far.in, r->len);
		s->upgraded = true;
		if (channel_start_rot(&s->far, s->config->rot) == ERR_NONE)
			send_ehlo(s);
		else
			client_lost(s, err_text(ERR_RESOURCE));
		return;
	}
	if ((record = sodium_malloc(sizeof(*record))) == NULL) {
		client_verdict(s, "451 4.3.0 Out of memory");
		return;
	}
	if (handshake_read_reply(s->hs, r, p, record) != ERR_NONE) {
		sodium_free(record);
		client_upgrade_failed(s, ERR_CRYPTO, err_text(ERR_CRYPTO));
		return;
	}
	memcpy(s->report.key, s->hs->noise.rs, NOISE_KEY);
	s->report.has_key = true;
	buf_drop(&s->far.in, r->len);
	sodium_free(s->far.record);
	s->far.record = record;
	engine_ask(s, SESSION_ASK_PEER)->commitment = s->hs->commitment;
	engine_state(s, CLIENT_JUDGE);
}

/* The first word is the host's name (RFC 5321, section 4.2). A redirected MTA is greeted by it,
 * since it may find so that it speaks to itself. Once: it does not see what connections there
 * are. */
static void
note_name(struct session *s, const uint8_t *text, size_t n)
{
	const uint8_t *blank = memchr(text, ' ', n);

	if (blank != NULL)
		n = (size_t)(blank - text);
	(void)snprintf(
	    s->client.name, sizeof(s->client.name), "%.*s", (int)n, (const char *)text);
	if (!s->config->redirected || s->client.greeted)
		return;
	s->client.greeted = true;
	(void)dialogue_line(&s->near_out, "220 %s ESMTP", s->client.name);
}

static void
greeting_reply(struct session *s, const struct smtp_reply *r, const uint8_t *p)
{
	const uint8_t *text;
	size_t n = smtp_reply_text(r, p, 0, &text);
	char said[SESSION_TEXT_MAX];

	if (r->code / 100 == 5 && !s->client.strict) {
		client_attribute_line(s, said, sizeof(said), r, p);
		client_verdict(s, said);
		return;
	}
	if (r->code != 220) {
		dialogue_text(said, sizeof(said), p, smtp_line_text(p, smtp_line(p, r->len)));
		client_next_hop(s, SESSION_HOP_REFUSED, said);
		return;
	}
	memset(&s->client.hint, 0, sizeof(s->client.hint));
	if (advert_find_greeting(&s->client.hint, text, n) != ERR_NONE)
		s->client.hint.text[0] = '\0';
	note_name(s, text, n);
	buf_drop(&s->far.in, r->len);
	engine_state(s, CLIENT_HELLO);
}

/* The MTA sees the host's own words, less what is not for it: our offer, AUTH (sendmail would
 * try), and inside an upgrade STARTTLS. */
void
client_hop_put_keywords(
    const struct session *s, struct buf *out, const struct smtp_reply *r, const uint8_t *p)
{
	const uint8_t *text, *last;
	size_t i, n, last_n;

	last_n = smtp_reply_text(r, p, 0, &last);
	for (i = 1; i < r->lines && !s->client.helo; i++) {
		n = smtp_reply_text(r, p, i, &text);
		if (!dialogue_wants_keyword(text, n, s->upgraded) ||
		    smtp_verb(text, n) == SMTP_AUTH)
			continue;
		(void)dialogue_line(out, "%d-%.*s", r->code, (int)last_n, (const char *)last);
		last = text;
		last_n = n;
	}
	(void)dialogue_line(out, "%d %.*s", r->code, (int)last_n, (const char *)last);
}

void
client_hop_keywords(struct session *s, const struct smtp_reply *r, const uint8_t *p)
{
	if (client_kept_replaying(s)) {
		client_kept_replay(s, r, p);
		return;
	}
	if (r->code >= 400)
		client_attribute(s, &s->near_out, r, p);
	else
		client_hop_put_keywords(s, &s->near_out, r, p);
	if (s->config->keep) {
		buf_clear(&s->client.ehlo);
		client_hop_put_keywords(s, &s->client.ehlo, r, p);
	}
	s->client.pipelining = r->code == 250 && smtp_reply_has_keyword(r, p, "PIPELINING");
	s->client.owed = 0;
	s->pending = 0;
	s->barrier = BARRIER_NONE;
	buf_drop(&s->far.in, r->len);
	engine_state(s, CLIENT_COMMAND);
}

/* Finds the offer among the keywords. False: its words differ from the greeting's, so somebody
 * in between has changed one of them (PROTOCOL.md, "Advertisement"). That counts only where an
 * offer is to be taken up: else no later connection in clear would come about either. */
static bool
find_keyword_offer(
    struct session *s, const struct smtp_reply *r, const uint8_t *p, struct advert *a)
{
	const uint8_t *text;
	size_t i, n;

	a->text[0] = '\0';
	for (i = 1; i < r->lines; i++) {
		n = smtp_reply_text(r, p, i, &text);
		if (advert_find_keyword(a, text, n) == ERR_NONE)
			break;
		a->text[0] = '\0';
	}
	return !s->client.offer || a->text[0] == '\0' || s->client.hint.text[0] == '\0' ||
	       strcmp(a->text, s->client.hint.text) == 0;
}

static void
caps_reply(struct session *s, const struct smtp_reply *r, const uint8_t *p)
{
	char said[SESSION_TEXT_MAX];
	struct advert offer;

	if (r->code / 100 == 4) {
		dialogue_text(said, sizeof(said), p, smtp_line_text(p, smtp_line(p, r->len)));
		client_next_hop(s, SESSION_HOP_REFUSED, said);
		return;
	}
	if (r->code == 250 && !s->upgraded) {
		if (!find_keyword_offer(s, r, p, &offer)) {
			client_upgrade_failed(s, ERR_CRYPTO,
			    "the greeting's offer differs from the EHLO reply's");
			return;
		}
		if (offer.text[0] != '\0' && take_offer(s, &offer, false)) {
			if (s->state != CLIENT_VERDICT) /* which has dropped all of it */
				buf_drop(&s->far.in, r->len);
			return;
		}
	}
	if (!s->upgraded) {
		/* The reply stays where it is until the monitor has said yes. */
		engine_ask(s, SESSION_ASK_CLEAR)->starttls =
		    r->code == 250 && smtp_reply_has_keyword(r, p, "STARTTLS");
		engine_state(s, CLIENT_CLEAR);
		return;
	}
	client_hop_keywords(s, r, p);
}

void
client_hop_clear(struct session *s)
{
	struct smtp_reply r;
	const uint8_t *p = buf_head(&s->far.in);

	if (smtp_reply_parse(&r, p, buf_len(&s->far.in)) != ERR_NONE)
		return; /* it was whole when the monitor was asked */
	client_hop_keywords(s, &r, p);
}

bool
client_hop_reply(struct session *s)
{
	struct smtp_reply r;
	const uint8_t *p = buf_head(&s->far.in);
	enum err e = smtp_reply_parse(&r, p, buf_len(&s->far.in));

	if (e == ERR_MORE && !channel_ended(&s->far))
		return false;
	if (e != ERR_NONE) {
		client_lost(s, e == ERR_MORE ? "connection closed" : "no SMTP reply");
		return true;
	}
	if (r.code / 100 != 2 && client_kept_lost(s, "the kept session is over"))
		return true; /* the host itself is as good as it was */
	if (s->state == CLIENT_GREETING)
		greeting_reply(s, &r, p);
	else if (s->state == CLIENT_UPGRADE)
		upgrade_reply(s, &r, p);
	else
		caps_reply(s, &r, p);
	return true;
}

/* The host has greeted and the MTA has said who it is. */
bool
client_hop_hello(struct session *s)
{
	if (s->client.hello[0] == '\0')
		return false;
	if (s->client.hint.text[0] == '\0' || !take_offer(s, &s->client.hint, true))
		send_ehlo(s);
	return true;
}
