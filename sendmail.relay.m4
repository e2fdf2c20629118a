divert(-1)
dnl #
dnl # sendmail.relay.m4: relaying for those whose keys blackpony-receiver knows.
dnl #
dnl # In sendmail.mc, anywhere after the FEATUREs:
dnl #
dnl #	include(`/usr/share/blackpony/sendmail.relay.m4')dnl
dnl #
dnl # blackpony-receiver sets ${pony_relay} in a session in which the client has proved a key that
dnl # is listed in /etc/blackpony/relay-keys, and meant this host and no other. Such a client may then
dnl # relay, as one that has authenticated itself may: delay_checks passes it by. No other session has the
dnl # macro, and no other rule grants anything for it: ${verify} stays NO, ${auth_type} empty. Without
dnl # this file in sendmail.mc nothing is granted to anybody.
dnl #
dnl # The rules stand in Local_Relay_Auth, before or behind those of your own there.
dnl #
ifdef(`_BLACKPONY_RELAY_', `errprint(`*** ERROR: sendmail.relay.m4 is included twice
')')
define(`_BLACKPONY_RELAY_', `1')
LOCAL_RULESETS
SLocal_Relay_Auth
R$*			$: $1 $| $&{pony_relay}
R$* $| $+		$# RELAY		a listed key that meant us
R$* $| $*		$: $1
divert(0)dnl
