/*
 * handshake - see handshake.h. Called by server.c and client.c.
 */
#include "handshake.h"

#include <sodium.h>
#include <string.h>

/* Payload 2: two texts of bounded length, a KEM key, and their headers. */
#define PAYLOAD_2_MAX (3 + HANDSHAKE_NAME_MAX + 3 + HANDSHAKE_EHLO_MAX + 3 + KEM_EK)
#define PAYLOAD_3_MAX (3 + COMMITMENT_OCTETS)
#define MESSAGE_MAX (ADVERT_COMMAND_MAX / 4 * 3)

void
handshake_wipe(struct handshake *hs)
{
	if (hs != NULL)
		sodium_memzero(hs, sizeof(*hs));
}

/* Noise state after message 1, which is the advertisement: its payload is empty (PROTOCOL.md,
 * "Message 1"). Both sides run this, each in its own role. */
static enum err
begin(struct handshake *hs, bool server, const uint8_t s_public[NOISE_KEY])
{
	uint8_t prologue[ADVERT_PROLOGUE_MAX], first[NOISE_MESSAGE_1(true)];
	const struct suite *suite = hs->suite;
	struct noise theirs;
	size_t len;
	enum err e;

	len = advert_prologue(prologue, sizeof(prologue), &hs->advert, suite->name);
	noise_init(&hs->noise, suite->noise, server, suite->psk3, prologue, len);
	noise_set_static(&hs->noise, s_public);
	noise_set_ephemeral(&hs->noise, hs->e_secret);
	if (server)
		return noise_write_1(&hs->noise, first, NULL, 0);
	/* Only e of it is sent; a psk pattern's tag behind it is nobody's secret. */
	noise_init(&theirs, suite->noise, true, suite->psk3, prologue, len);
	memcpy(theirs.e_public, hs->advert.e, NOISE_KEY);
	if ((e = noise_write_1(&theirs, first, NULL, 0)) != ERR_NONE)
		return e;
	return noise_read_1(&hs->noise, NULL, first, NOISE_MESSAGE_1(suite->psk3));
}

/* What is mixed in before payload 3. */
static const uint8_t *
psk(const struct handshake *hs)
{
	return hs->suite->psk3 ? hs->kem.psk : NULL;
}

/* Octets before message 3 in the reply. */
static size_t
ciphertext_len(const struct handshake *hs)
{
	return hs->suite->psk3 ? KEM_CT : 0;
}

void
handshake_offer(struct handshake *hs, const struct suite_list *suites)
{
	uint8_t e[NOISE_KEY];

	hs->random(hs->e_secret, NOISE_KEY);
	crypto_scalarmult_base(e, hs->e_secret);
	advert_make(&hs->advert, e, suites);
}

/* Text that will stand in a command line or a log: no control characters, so no second line. */
static enum err
copy_text(char *to, size_t cap, const struct tlv *item)
{
	uint16_t i;

	if (item->len == 0 || item->len >= cap)
		return ERR_CRYPTO;
	for (i = 0; i < item->len; i++)
		if (item->value[i] < 0x20 || item->value[i] > 0x7e)
			return ERR_CRYPTO;
	memcpy(to, item->value, item->len);
	to[item->len] = '\0';
	return ERR_NONE;
}

/* Early data is an EHLO and nothing else: its reply is read as one. */
static enum err
copy_ehlo(char *to, size_t cap, const struct tlv *item)
{
	if (smtp_verb(item->value, item->len) != SMTP_EHLO)
		return ERR_CRYPTO;
	return copy_text(to, cap, item);
}

/* A suite with a KEM has the key's item, others have not. */
static enum err
read_payload_2(
    struct handshake *hs, const uint8_t *payload, size_t n, struct handshake_hello *hello)
{
	struct wire_in in = wire_in(payload, n);
	uint8_t seen[32] = {0};
	bool has_key = false;
	struct tlv item;
	enum err e;

	memset(hello, 0, sizeof(*hello));
	while ((e = tlv_next(&in, &item, seen)) == ERR_NONE) {
		if (item.type == TLV_SERVER_NAME)
			e = copy_text(hello->server_name, sizeof(hello->server_name), &item);
		else if (item.type == TLV_EHLO)
			e = copy_ehlo(hello->ehlo, sizeof(hello->ehlo), &item);
		else if (item.type == TLV_KEM_KEY)
			e = kem_answer(&hs->kem, item.value, item.len, hs->random);
		else if (item.type & TLV_CRITICAL)
			e = ERR_CRYPTO;
		has_key |= item.type == TLV_KEM_KEY;
		if (e != ERR_NONE)
			return e;
	}
	return e == ERR_MORE && has_key == hs->suite->psk3 ? ERR_NONE : ERR_CRYPTO;
}

/* The suite must be one that we offered on this connection, not just one that we know. */
static const struct suite *
offered_suite(const struct suite_list *suites, const char *name)
{
	size_t i;

	for (i = 0; i < suites->count; i++)
		if (strcmp(suites->suite[i]->name, name) == 0)
			return suites->suite[i];
	return NULL;
}

enum err
handshake_read_command(struct handshake *hs, const struct suite_list *suites,
    const uint8_t s_public[NOISE_KEY], const uint8_t *line, size_t n,
    struct handshake_hello *hello)
{
	uint8_t message[MESSAGE_MAX], payload[MESSAGE_MAX];
	struct advert_command command;
	enum err e;

	if ((e = advert_parse_command(&command, message, sizeof(message), line, n)) != ERR_NONE)
		return e;
	if ((hs->suite = offered_suite(suites, command.suite)) == NULL)
		return ERR_SUITE;
	if (begin(hs, true, s_public) != ERR_NONE)
		return ERR_CRYPTO;
	if (command.message_len < NOISE_MESSAGE_2)
		return ERR_CRYPTO;
	if (noise_read_2(&hs->noise, payload, message, command.message_len) != ERR_NONE)
		return ERR_CRYPTO;
	return read_payload_2(hs, payload, command.message_len - NOISE_MESSAGE_2, hello);
}

static size_t
put_payload_3(uint8_t payload[PAYLOAD_3_MAX], const struct commitment *c)
{
	struct wire_out list = wire_out(payload, PAYLOAD_3_MAX), value;
	uint8_t octets[COMMITMENT_OCTETS];

	if (!c->present)
		return 0;
	value = wire_out(octets, sizeof(octets));
	commitment_put(&value, c);
	tlv_put(&list, TLV_COMMITMENT, octets, value.used);
	return list.used;
}

enum err
handshake_write_reply(
    struct handshake *hs, const uint8_t dh_s[NOISE_KEY], struct buf *out, struct record *record)
{
	uint8_t payload[PAYLOAD_3_MAX], message[KEM_CT + NOISE_MESSAGE_3 + PAYLOAD_3_MAX];
	size_t before = ciphertext_len(hs), n = put_payload_3(payload, &hs->commitment);
	enum err e;

	memcpy(message, hs->kem.ct, before);
	if (noise_write_3(&hs->noise, message + before, dh_s, psk(hs), payload, n) != ERR_NONE)
		return ERR_CRYPTO;
	if ((e = advert_put_reply(out, message, before + NOISE_MESSAGE_3 + n)) != ERR_NONE)
		return e;
	memset(record, 0, sizeof(*record));
	noise_split(&hs->noise, &record->tx.cipher, &record->rx.cipher);
	return ERR_NONE;
}

enum err
handshake_write_command(struct handshake *hs, const uint8_t s_public[NOISE_KEY],
    const uint8_t dh_s[NOISE_KEY], const struct handshake_hello *hello, struct buf *out)
{
	uint8_t payload[PAYLOAD_2_MAX], message[NOISE_MESSAGE_2 + PAYLOAD_2_MAX];
	struct wire_out w = wire_out(payload, sizeof(payload));
	enum err e;

	hs->random(hs->e_secret, NOISE_KEY);
	if ((e = begin(hs, false, s_public)) != ERR_NONE)
		return e;
	if (hello->server_name[0] != '\0')
		tlv_put(&w, TLV_SERVER_NAME, hello->server_name, strlen(hello->server_name));
	if (hello->ehlo[0] != '\0')
		tlv_put(&w, TLV_EHLO, hello->ehlo, strlen(hello->ehlo));
	if (hs->suite->psk3) {
		kem_offer(&hs->kem, hs->random);
		tlv_put(&w, TLV_KEM_KEY, hs->kem.ek, KEM_EK);
	}
	if (w.failed)
		return ERR_LIMIT;
	if ((e = noise_write_2(&hs->noise, message, dh_s, payload, w.used)) != ERR_NONE)
		return e;
	return advert_put_command(out, hs->suite, message, NOISE_MESSAGE_2 + w.used);
}

static enum err
read_payload_3(const uint8_t *payload, size_t n, struct commitment *c)
{
	struct wire_in in = wire_in(payload, n);
	uint8_t seen[32] = {0};
	struct tlv item;
	enum err e;

	memset(c, 0, sizeof(*c));
	while ((e = tlv_next(&in, &item, seen)) == ERR_NONE) {
		if (item.type == TLV_COMMITMENT)
			e = commitment_read(c, item.value, item.len);
		else if (item.type & TLV_CRITICAL)
			e = ERR_CRYPTO;
		if (e != ERR_NONE)
			return ERR_CRYPTO;
	}
	return e == ERR_MORE ? ERR_NONE : ERR_CRYPTO;
}

enum err
handshake_read_reply(
    struct handshake *hs, const struct smtp_reply *r, const uint8_t *p, struct record *record)
{
	uint8_t message[MESSAGE_MAX], payload[MESSAGE_MAX];
	size_t len, before = ciphertext_len(hs);

	if (advert_parse_reply(message, sizeof(message), &len, r, p) != ERR_NONE)
		return ERR_CRYPTO;
	if (len < before + NOISE_MESSAGE_3)
		return ERR_CRYPTO;
	len -= before;
	if (before > 0)
		kem_finish(&hs->kem, message);
	if (noise_read_3(&hs->noise, psk(hs), payload, message + before, len) != ERR_NONE)
		return ERR_CRYPTO;
	/* A server that shows our own key is a mirror, or ourselves (PROTOCOL.md,
	 * "Reflection"). */
	if (sodium_memcmp(hs->noise.rs, hs->noise.s_public, NOISE_KEY) == 0)
		return ERR_CRYPTO;
	if (read_payload_3(payload, len - NOISE_MESSAGE_3, &hs->commitment) != ERR_NONE)
		return ERR_CRYPTO;
	memset(record, 0, sizeof(*record));
	noise_split(&hs->noise, &record->tx.cipher, &record->rx.cipher);
	return ERR_NONE;
}
