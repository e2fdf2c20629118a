/*
 * kept.pml - one mail through a kept session, which may be lost at any moment, as a model for spin (t/73-model runs
 * it). Beside the code it stands for: client is client_kept.c and client_mail.c in the engine of this mail, keeper is
 * the engine that has the session (client.c with `behind`), host is whoever is at the other end of it; the new
 * connection goes to another host process without a keeper. DESIGN.md, "Kept sessions".
 *
 * What is checked, in every run:
 *   once       the hosts take the message at most once in one attempt, and only whole
 *   sent       "sent" is said only of a message that a host took
 *   unnoticed  a session that is lost before its first reply to this mail costs a connection, and never the mail
 *   deadlock   nobody waits for ever
 *
 * Both ends and the keeper may die between any two steps, the host may say 421 instead of any reply, deadlines may pass
 * at any time. What was on its way then may still arrive, or not. FAULT_* each put one fault in, which the check must find.
 */
mtype = { MAIL, DATA, BODY, DOT, QUIT, OK, GO_ON, YES, NO, LATER, BYE, END };

chan near_up = [2] of { mtype };  /* client to keeper; without one, client to host */
chan near_down = [5] of { mtype };
chan far_up = [2] of { mtype };   /* keeper to host */
chan far_down = [5] of { mtype };
chan new_up = [2] of { mtype };   /* client to host, the new connection */
chan new_down = [5] of { mtype };

byte taken = 0;      /* how often, by whichever host */
bool excuse = false; /* the mail may stay queued: what is allowed to cost that has happened */

inline drain(from)
{
	do
	:: word == END -> break
	:: else -> from?word
	od
}

proctype host(chan in; chan out; bool is_new)
{
	mtype word = OK;
	bool body = false;

	do
	:: in?word ->
		if
		:: word == END -> break
		:: word == MAIL -> out!OK
		:: word == DATA -> out!GO_ON; body = false
		:: word == BODY -> body = true
		:: word == DOT ->
			if
			:: taken++;
				assert(taken <= 1 && body); /* once */
				if
				:: out!YES
				:: excuse = true; break /* and it is gone */
				fi
			:: excuse = true; out!NO
			fi
		:: word == QUIT -> out!BYE; break
		fi
	:: excuse = excuse || is_new; out!LATER; break
	:: excuse = excuse || is_new; break
	od;
	out!END;
	drain(in)
}

proctype keeper()
{
	mtype word = OK;
	bool up_ended = false, down_ended = false;

	xr near_up; xs near_down; xs far_up; xr far_down;
	do
	:: near_up?word ->
		up_ended = (word == END);
		if
		:: word == END -> break
		:: word != END -> far_up!word
		:: word != END -> break /* it dies with that in its hand */
		fi
	:: far_down?word ->
		down_ended = (word == END);
		if
		:: word == END -> break
		:: word != END -> near_down!word
		:: word != END -> break
		fi
	:: break
	od;
#ifdef FAULT_DOTTED
	far_up!DOT; /* an end that it makes up */
#endif
#ifndef FAULT_UNCLOSED
	far_up!END;
#endif
	near_down!END;
	do
	:: up_ended && down_ended -> break
	:: !up_ended -> near_up?word; up_ended = (word == END)
	:: !down_ended -> far_down?word; down_ended = (word == END)
	od
}

active proctype client()
{
	mtype word;
	bool is_new = false, replied = false, sent = false;

#define say(what) if \
	:: is_new -> new_up!what \
	:: else -> near_up!what \
	fi
	/* The next reply; END when a deadline passes first. */
#define hear if \
	:: is_new -> new_down?word \
	:: !is_new -> near_down?word \
	:: excuse = excuse || is_new || replied; word = END \
	fi
#define is_lost (word == END || word == LATER)

	xs near_up; xr near_down; xs new_up; xr new_down;
	atomic { run host(far_up, far_down, false); run keeper() };
envelope:
	say(MAIL);
	say(DATA);
	hear;
	if
	:: is_lost -> goto lost
	:: else -> replied = true
	fi;
	hear;
	if
	:: is_lost -> goto lost
	:: else -> assert(word == GO_ON)
	fi;
	say(BODY);
	if
	:: say(DOT)
	:: excuse = true; goto over /* the MTA's pipe dies: the end, and no dot */
	fi;
	hear;
	if
#ifdef FAULT_END_IS_YES
	:: word == YES || word == END -> sent = true
#else
	:: word == YES -> sent = true
#endif
	:: word == NO -> goto over
	:: else -> goto lost
	fi;
	assert(taken == 1); /* sent */
	say(QUIT);
	hear;
	goto over;

lost: /* client_kept_lost() */
	if
#ifdef FAULT_LATE
	:: !is_new ->
#elif defined(FAULT_GIVEN_UP)
	:: false ->
#else
	:: !is_new && !replied ->
#endif
		near_up!END;
		is_new = true;
		run host(new_up, new_down, true);
		goto envelope
	:: else -> excuse = excuse || replied /* 451: it stays queued */
	fi;
over:
	say(END);
	assert(sent || excuse) /* unnoticed */
}
