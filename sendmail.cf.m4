divert(-1)
dnl #
dnl # sendmail.cf.m4: outgoing mail through blackpony-mailer.
dnl #
dnl # In sendmail.mc, after MAILER(`smtp'):
dnl #
dnl #	include(`/usr/share/blackpony/sendmail.cf.m4')dnl
dnl #
dnl # or, with this file copied to mailer/blackpony.m4 of the cf tree, MAILER(`blackpony').
dnl #
dnl # The mailers smtp, esmtp, smtp8, dsmtp and relay stay what they are. A mailertable line such
dnl # as "example.org	esmtp:example.org", or SMART_HOST(`relay:host'), keeps a destination on
dnl # sendmail's own client: one that needs SMTP AUTH, MTA-STS, or TLS_Srv: and TLS_Clt: entries
dnl # by host name.
dnl #
dnl # May be defined before:
dnl #
dnl #	BLACKPONY_ON_REQUEST		only mailertable lines and the like lead here; without it,
dnl #					all mail for other hosts does
dnl #	BLACKPONY_MAILER_PATH		/usr/libexec/blackpony/blackpony-mailer
dnl #	BLACKPONY_MAILER_ARGS		blackpony-mailer -i $i $h. There must be no $u in it, or
dnl #					sendmail does not speak SMTP to the program
dnl #					blackpony-mailer -K 0 -i $i $h keeps no session for the
dnl #					next message
dnl #	BLACKPONY_MAILER_FLAGS		more F= flags; MODIFY_MAILER_FLAGS(`BLACKPONY', `+8') works too
dnl #	BLACKPONY_MAILER_USER		blackpony:blackpony, who must exist. F=S belongs to it: without
dnl #					that flag sendmail runs the program as the local user who wrote
dnl #					the message, U= or not. With it the program starts with this
dnl #					user's effective and root's real uid, and drops root for good
dnl #	BLACKPONY_MAILER_WAIT		2m: how long sendmail waits for the program's exit (W=)
dnl #	BLACKPONY_MAILER_MAXRCPTS	recipients in one session (r=); sendmail's default is 100
dnl #	BLACKPONY_MAILER_MAX		octets in one message (M=)
dnl #	BLACKPONY_MAILER_QGRP		queue group (Q=)
dnl #
ifdef(`_MAILER_smtp_',, `errprint(`*** ERROR: blackpony must come after MAILER(smtp)
')')
ifdef(`_BLACKPONY_', `errprint(`*** ERROR: blackpony is included twice
')')
define(`_BLACKPONY_', `1')

ifdef(`_DELAY_CHECKS_',, `errprint(`*** WARNING: blackpony: FEATURE(delay_checks) is missing. Without it the access
    database, DNS block lists and other checks of the client are not made in the
    sessions that blackpony-receiver hands to sendmail
')')
ifdef(`_MTA_STS_', `errprint(`*** WARNING: blackpony: FEATURE(sts) does half of its work on this mailer: mail for a
    destination with an enforced MTA-STS policy waits until its host offers STARTTLS
    with a good certificate, but the host names of the policy are not looked at. Keep
    such destinations on sendmail''`s own client by mailertable lines such as
    example.org	esmtp:example.org
')')

_DEFIFNOT(`BLACKPONY_MAILER_PATH', `/usr/libexec/blackpony/blackpony-mailer')
_DEFIFNOT(`BLACKPONY_MAILER_ARGS', `blackpony-mailer -i $i $h')
_DEFIFNOT(`BLACKPONY_MAILER_FLAGS', `')
_DEFIFNOT(`BLACKPONY_MAILER_USER', `blackpony:blackpony')
_DEFIFNOT(`BLACKPONY_MAILER_WAIT', `2m')
ifelse(index(defn(`BLACKPONY_MAILER_ARGS'), `$u'), `-1',,
`errprint(`*** ERROR: blackpony: BLACKPONY_MAILER_ARGS must not contain $u
')')

dnl # The rules are expanded at the very end, so this is still in time. Recipients' domains stay as they
dnl # are written: sendmail would follow CNAME records that nobody vouches for, and then ask for a host
dnl # of another domain, for which another policy holds. blackpony-mailer follows them itself.
define(`_NO_CANONIFY_', `1')
define(`confDIRECT_SUBMISSION_MODIFIERS', `C')
ifdef(`BLACKPONY_ON_REQUEST',,
`define(`confSMTP_MAILER', `blackpony')
define(`confRELAY_MAILER', `blackpony')')

define(`_BLACKPONY_R_', ifdef(`_ALL_MASQUERADE_', `EnvToSMTP/HdrFromSMTP', `EnvToSMTP'))
divert(7)dnl
##########################################
###   BLACKPONY Mailer specification   ###
##########################################

Mblackpony,	P=BLACKPONY_MAILER_PATH, F=_MODMF_(CONCAT(`mDFMuXaS', BLACKPONY_MAILER_FLAGS), `BLACKPONY'), S=EnvFromSMTP/HdrFromSMTP, R=_BLACKPONY_R_, E=\r\n, L=990,
		_OPTINS(`BLACKPONY_MAILER_MAX', `M=', `, ')_OPTINS(`BLACKPONY_MAILER_MAXRCPTS', `r=', `, ')_OPTINS(`BLACKPONY_MAILER_QGRP', `Q=', `, ')U=BLACKPONY_MAILER_USER, W=BLACKPONY_MAILER_WAIT, T=DNS/RFC822/SMTP,
		A=BLACKPONY_MAILER_ARGS
