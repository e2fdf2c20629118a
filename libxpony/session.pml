/*
 * session.pml - the two-sided handshake with its fallback, and a message behind it, as a model for spin
 * (t/73-model runs it). Beside the code it stands for: client is client*.c with the monitor's mailer/trust.c,
 * server is server*.c, and between them stands who can read, change, leave out, repeat and invent octets.
 *
 * What is checked, in every run:
 *   clear      where XPONY is demanded no mail goes without it, nor to the man in between: pinned (which stands for
 *              verify, too) and demand (for commitments, and for pinned with pq); where encryption is (encrypt), none
 *              goes in clear
 *   truncated  the server takes a message from a client whom it knows by its key only whole, and of what that
 *              client sealed; "sent" is said only of a message that was taken whole
 *   suite      both sides mean the same suite; it is the best that both have, unless the client itself stepped down,
 *              which demand never does
 *   deadlock   nobody waits for ever: with nobody in between not even for a deadline, and then the mail arrives
 *
 * Cryptography is ideal: what is bound into the handshake cannot be changed, what is sealed can be moved, cut and
 * repeated but not read or made. In clear and inside STARTTLS nothing but the first property can hold.
 * FAULT_* each put one fault in, which the check must find.
 */
#define CONNECTIONS 4 /* the offer, again, classical, without (PROTOCOL.md, "Falling back") */
#define ATTACKS     4 /* one for each connection, or all on one */
#define PARTS       2 /* records of a body */

#define CLASSICAL 1
#define HYBRID    2
#define BOTH      3

#define ATTACKER  0       /* whose e it is; else of the server, in the connection before that number */

mtype = { GREETING, XPONY, REPLY, REFUSED, EHLO, KEYWORDS, STARTTLS, FLIGHT, GO_ON, BODY, DOT, TAKEN, QUIT, BYE, CLOSE, END };
mtype = { may, encrypt, pinned, demand }; /* policies */
mtype = { in_clear, sealed, to_attacker, tls };

/*
 * kind, how it travels, number of the record, and four values:
 *   GREETING, KEYWORDS   suites offered (0: none), whose e, STARTTLS offered
 *   XPONY                suite of the line; bound: that suite, the suites seen, whose e
 *   REPLY                whose static key; bound: the suite
 *   BODY                 which part
 */
#define MESSAGE mtype, mtype, byte, byte, byte, byte, byte
chan up_near = [4] of { MESSAGE };  /* client to the man in the middle */
chan up_far = [4] of { MESSAGE };   /* and on to the server */
chan down_far = [4] of { MESSAGE };
chan down_near = [4] of { MESSAGE };

byte attacks = 0;
bool may_attack;
mtype policy;

/* What became of it, for the assertions. */
byte server_suite;      /* in this connection */
bool taken_whole;       /* likewise */
bool stepped_down = false;
bool sent = false;

#define knows_host (policy == pinned || policy == demand)
#define attacked (attacks > 0) /* deadlines pass only then: without him nobody may need one */

inline best(suites, suite)
{
	if
	:: suites & HYBRID -> suite = HYBRID
	:: else -> suite = suites & CLASSICAL
	fi
}

/* --- the server: server.c, server_dialogue.c --- */

proctype server(byte c)
{
	mtype kind, how;
	byte n, a, b, d, e, parts, next_in = 0, next_out = 0;
	mtype mode = in_clear;
	bool foreign = false; /* something in the body was not sealed by the client */

	/* What cannot be opened, or is no record, ends an upgraded session without a word. */
#ifdef FAULT_INJECTED
#define opens (how != sealed || n == next_in)
#elif defined(FAULT_UNCOUNTED)
#define opens (how == mode)
#else
#define opens (how == mode && (mode != sealed || n == next_in))
#endif
	/* The prologue; and e is fresh for each connection. */
#ifdef FAULT_UNBOUND
#define bound (e == c + 1)
#elif defined(FAULT_SHORTENED)
#define bound (a == b && e == c + 1)
#else
#define bound (a == b && d == BOTH && e == c + 1)
#endif
#define say(kind, a, b, d) down_far!kind(mode, next_out, a, b, d, 0); next_out++

	down_far!GREETING(in_clear, 0, BOTH, c + 1, 1, 0);
command:
	if
	:: up_far?kind(how, n, a, b, d, e)
	:: attacked -> goto over
	fi;
	if
	:: kind == END -> goto over
	:: kind != END && !opens -> goto over
	:: else -> next_in++
	fi;
	if
	:: kind == XPONY && mode == in_clear -> goto xpony
	:: kind == EHLO -> say(KEYWORDS, (mode == in_clear -> BOTH : 0), c + 1, 1); goto command
	:: kind == STARTTLS && mode == in_clear -> mode = tls; goto command
	:: kind == FLIGHT -> parts = 0; foreign = (how != mode); say(GO_ON, 0, 0, 0); goto body
	:: kind == QUIT -> say(BYE, 0, 0, 0); goto closing
	:: else -> goto over
	fi;

xpony:
#ifndef FAULT_INJECTED
	if
	:: nempty(up_far) -> goto refuse /* check 2 */
	:: empty(up_far)
	fi;
#endif
	if
	:: bound ->
		server_suite = a;
		down_far!REPLY(in_clear, 0, c + 1, b, d, 0);
		mode = sealed;
		next_in = 0;
		next_out = 0;
#ifndef FAULT_SECOND_EHLO
		say(KEYWORDS, 0, c + 1, 1); /* the EHLO was in message 2 */
#endif
		goto command
	:: else
	fi;
refuse:
	down_far!REFUSED(in_clear, 0, 0, 0, 0, 0);
	goto over;

body:
	if
	:: up_far?kind(how, n, a, b, d, e)
	:: attacked -> goto over
	fi;
	if
#ifdef FAULT_END_IS_DOT
	:: kind == END -> goto dot
#else
	:: kind == END -> goto over
#endif
	:: kind != END && !opens -> goto over
	:: else -> next_in++; foreign = foreign || how != mode
	fi;
	if
	:: kind == BODY -> parts = (a == parts -> parts + 1 : PARTS + 1); goto body
	:: kind == DOT -> goto dot
	:: else -> goto over
	fi;
dot:
	assert(mode != sealed || (parts == PARTS && !foreign)); /* truncated */
	taken_whole = (parts == PARTS && !foreign);
	say(TAKEN, 0, 0, 0);
	goto command;

closing:
	if
	:: mode == sealed -> say(CLOSE, 0, 0, 0)
	:: else
	fi;
over:
	down_far!END(in_clear, 0, 0, 0, 0, 0);
	do
	:: kind == END -> break
	:: kind != END -> up_far?kind(how, n, a, b, d, e)
	od
#undef opens
#undef bound
#undef say
}

/* --- the man in the middle --- */

#define forget d_step { n = 0; a = 0; b = 0; d = 0; e = 0; how = 0; kind = 0 }
#define act (may_attack && attacks < ATTACKS)
#define offers(kind) (how == in_clear && (kind == GREETING || kind == KEYWORDS))

proctype middle()
{
	mtype kind, how;
	byte n, a, b, d, e;
	bool up_ended = false, down_ended = false, cut = false, server_himself = false;

	do
	:: up_ended && down_ended -> break
	:: atomic { up_near?kind(how, n, a, b, d, e) ->
		if
		:: kind == END ->
			up_ended = true;
			if
			:: server_himself -> down_near!END(in_clear, 0, 0, 0, 0, 0)
			:: cut && !server_himself
			:: !cut -> up_far!END(in_clear, 0, 0, 0, 0, 0)
			fi
		:: kind != END && cut -> if
			:: server_himself && kind == FLIGHT -> down_near!GO_ON(to_attacker, 1, 0, 0, 0, 0)
			:: server_himself && kind == DOT -> down_near!TAKEN(to_attacker, 2, 0, 0, 0, 0)
			:: server_himself && kind == QUIT -> down_near!BYE(to_attacker, 3, 0, 0, 0, 0)
			:: else
			fi
		:: kind != END && !cut -> if
			:: up_far!kind(how, n, a, b, d, e)
			:: act -> attacks++ /* left out */
			:: act -> attacks++; cut = true;
				up_far!END(in_clear, 0, 0, 0, 0, 0); down_near!END(in_clear, 0, 0, 0, 0, 0)
			:: act && how == sealed -> attacks++; /* said twice */
				up_far!kind(how, n, a, b, d, e); up_far!kind(how, n, a, b, d, e)
			:: act && how == sealed && len(up_near) == 1 && !up_near?[END] -> attacks++; /* behind the next */
				up_near!kind(how, n, a, b, d, e)
			:: act && kind == XPONY && a != CLASSICAL -> attacks++; /* another suite in the line */
				up_far!XPONY(in_clear, 0, CLASSICAL, b, d, e)
			:: act && kind == XPONY && e > 1 -> attacks++; /* that of the connection before */
				up_far!XPONY(in_clear, 0, a, b, d, e - 1)
			:: act && kind == XPONY -> attacks++; /* a command in clear behind it */
				up_far!XPONY(in_clear, 0, a, b, d, e); up_far!FLIGHT(in_clear, 0, 0, 0, 0, 0)
			:: act && kind == XPONY && e == ATTACKER -> attacks++; /* he is the server himself */
				cut = true; server_himself = true;
				up_far!END(in_clear, 0, 0, 0, 0, 0);
				down_near!REPLY(in_clear, 0, ATTACKER, b, 0, 0);
				down_near!KEYWORDS(to_attacker, 0, 0, 0, 1, 0)
			fi
		fi; forget }
	:: atomic { down_far?kind(how, n, a, b, d, e) ->
		if
		:: kind == END ->
			down_ended = true;
			if
			:: cut
			:: !cut -> down_near!END(in_clear, 0, 0, 0, 0, 0)
			fi
		:: kind != END && (cut || up_ended)
		:: kind != END && !cut && !up_ended -> if
			:: down_near!kind(how, n, a, b, d, e)
			:: act -> attacks++ /* left out */
			:: act -> attacks++; cut = true;
				up_far!END(in_clear, 0, 0, 0, 0, 0); down_near!END(in_clear, 0, 0, 0, 0, 0)
			:: act && how == sealed -> attacks++; /* said twice */
				down_near!kind(how, n, a, b, d, e); down_near!kind(how, n, a, b, d, e)
			:: act && how == sealed && len(down_far) == 1 && !down_far?[END] -> attacks++; /* behind the next */
				down_far!kind(how, n, a, b, d, e)
			:: act && offers(kind) && a != 0 -> attacks++; /* no offer */
				down_near!kind(how, n, 0, b, d, e)
			:: act && offers(kind) && d != 0 -> attacks++; /* no STARTTLS */
				down_near!kind(how, n, a, b, 0, e)
			:: act && offers(kind) && a == BOTH -> attacks++; /* less of it */
				down_near!kind(how, n, CLASSICAL, b, d, e)
			:: act && offers(kind) && a != 0 -> attacks++; /* an e of his own */
				down_near!kind(how, n, a, ATTACKER, d, e)
			:: act && kind == GO_ON -> attacks++; /* in the server's place: it has the message */
				down_near!GO_ON(how, n, a, b, d, e); down_near!TAKEN(in_clear, n + 1, 0, 0, 0, 0)
			fi
		fi; forget }
	od
}

/* --- the client: client.c, client_hop.c, client_mail.c, and mailer/trust.c, connect.c --- */

/* Closes, and waits until the other two are gone. `lost`: the other side has ended already. */
inline leave()
{
	up_near!END(in_clear, 0, 0, 0, 0, 0);
	do
	:: lost -> break
	:: !lost -> down_near?kind(how, n, a, b, d, e); lost = (kind == END)
	od;
	_nr_pr == 1
}

active proctype client()
{
	mtype kind, how, mode;
	byte n, a, b, d, e, c = 0, failures = 0;
	byte allowed = BOTH, suite, hint, hint_e, peer, next_in, next_out, part;
	bool offer = true, refused, lost;

	/* It opens only what fits; the rest ends the session. */
#ifdef FAULT_BELIEVED
#define opens (how != sealed || n == next_in)
#else
#define opens (how == mode && (mode != sealed || n == next_in))
#endif
#define say(kind, a) up_near!kind(mode, next_out, a, 0, 0, 0); next_out++
#define hear if \
	:: down_near?kind(how, n, a, b, d, e) -> lost = (kind == END) \
	:: attacked -> kind = END \
	fi; \
	if \
	:: kind != END && !opens -> kind = END \
	:: else -> next_in++ \
	fi

	select(may_attack : 0 .. 1);
	if
	:: policy = demand
	:: policy = pinned
	:: policy = encrypt
	:: policy = may
	fi;

connect:
	server_suite = 0;
	taken_whole = false;
	atomic {
		run server(c);
		run middle()
	};
	mode = in_clear;
	next_in = 0;
	next_out = 0;
	peer = ATTACKER;
	refused = false;
	lost = false;
	hear;
	if
	:: kind != GREETING -> goto verdict
	:: else -> hint = a; hint_e = b
	fi;
	suite = 0;
	if
	:: offer -> best(hint & allowed, suite)
	:: else
	fi;
	if
	:: suite != 0 -> goto upgrade
	:: else -> say(EHLO, 0)
	fi;
	hear;
	if
	:: kind != KEYWORDS -> goto verdict
	:: else
	fi;
	/* Both and different: somebody is in between (PROTOCOL.md, "Advertisement"). */
	if
	:: offer && hint != 0 && a != 0 && (a != hint || b != hint_e) -> goto failed
	:: offer && hint == 0 && a != 0 -> hint = a; hint_e = b; best(hint & allowed, suite)
	:: else
	fi;
	if
	:: suite != 0 -> goto upgrade
	:: else
	fi;

	/* trust_clear(): never the engine's own decision. */
	if
#ifndef FAULT_STRIPPED
	:: knows_host -> goto verdict
#endif
#ifndef FAULT_NO_TLS
	:: policy == encrypt && d == 0 -> goto verdict
#else
	:: policy == encrypt && d == 0
#endif
	:: !knows_host && d != 0 -> say(STARTTLS, 0); mode = tls
	:: d == 0 && policy == may
#ifdef FAULT_STRIPPED
	:: knows_host
#endif
	fi;
	goto mail;

upgrade:
	/* The suite, the offer as it was read and whose e it is: all three are bound. */
	up_near!XPONY(in_clear, 0, suite, suite, hint, hint_e);
	hear;
	if
	:: kind == REPLY && b == suite && a == hint_e -> peer = a
	:: kind == REFUSED || kind == END -> refused = true; goto failed
	:: else -> goto failed
	fi;
#ifndef FAULT_STRANGER
	/* trust_peer() */
	if
	:: knows_host && peer == ATTACKER -> goto verdict
	:: else
	fi;
#endif
	mode = (peer == ATTACKER -> to_attacker : sealed);
	next_in = 0;
	next_out = 0;
	if
	:: peer != ATTACKER ->
		assert(suite == server_suite); /* suite */
		assert(suite == HYBRID || stepped_down)
	:: else
	fi;
	hear;
	if
	:: kind != KEYWORDS -> goto verdict
	:: else -> goto mail
	fi;

failed: /* connect.c: each step down is a new connection */
	leave();
	assert(attacked); /* deadlock: with nobody in between nothing fails */
	c++;
	failures++;
	if
	:: failures == 1 -> goto connect
#ifdef FAULT_DESCENDS
	:: failures == 2 && refused && suite == HYBRID ->
#else
	:: failures == 2 && refused && suite == HYBRID && policy != demand -> /* may_descend */
#endif
		allowed = CLASSICAL; stepped_down = true; goto connect
	:: else ->
		if
		:: knows_host || !offer || c == CONNECTIONS -> goto over
		:: else -> offer = false; goto connect
		fi
	fi;

mail:
	assert(!knows_host || mode == sealed); /* clear */
	assert(policy != encrypt || mode != in_clear);
	assert(policy != demand || suite == HYBRID); /* suite */
	say(FLIGHT, 0);
	hear;
	if
	:: kind != GO_ON -> goto verdict
	:: else -> part = 0
	fi;
	do
	:: part < PARTS -> say(BODY, part); part++
	:: part == PARTS -> say(DOT, 0); break
	:: part == 1 -> goto verdict /* the MTA's pipe dies: the end, and no dot */
	od;
	hear;
	if
	:: kind == TAKEN ->
		sent = true;
		assert(mode != sealed || taken_whole) /* truncated */
	:: else -> goto verdict /* perhaps delivered: it stays queued */
	fi;
	say(QUIT, 0);
	hear;
	if
	:: kind == BYE && mode == sealed -> say(CLOSE, 0); hear
	:: else
	fi;
verdict:
	leave();
over:
	/* deadlock: with nobody in between the mail has gone, unless the MTA gave it up. */
	assert(attacked || sent || part == 1)
}
