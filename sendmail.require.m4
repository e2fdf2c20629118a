divert(-1)
dnl #
dnl # sendmail.require.m4: mail from a sender's domain only if it comes encrypted, by lines of access_db.
dnl #
dnl # At the end of sendmail.mc:
dnl #
dnl #	include(`/usr/share/blackpony/sendmail.require.m4')dnl
dnl #
dnl # and in /etc/mail/access, with what may stand behind TLS_Clt: there:
dnl #
dnl #	TLS_From:example.org		PERM+ENCR:128
dnl #
dnl # The domain is that of the envelope's sender; domains below it are meant too, unless they have a line
dnl # of their own, which may be OK. XPONY with a cipher has 256 bits, STARTTLS those of its cipher, ROTn
dnl # and mail in clear none. PERM+ refuses for good (503 5.7.0), TEMP+ or nothing for now (454 4.7.0).
dnl # VERIFY means a certificate, so it is never met by XPONY.
dnl #
dnl # The rules stand in Local_tls_client, which no verdict of delay_checks passes by: neither those who
dnl # may relay nor the friends of spam are let off.
dnl #
ifdef(`_ACCESS_TABLE_',, `errprint(`*** ERROR: sendmail.require.m4 needs FEATURE(access_db)
')')
ifdef(`_BLACKPONY_REQUIRE_', `errprint(`*** ERROR: sendmail.require.m4 is included twice
')')
define(`_BLACKPONY_REQUIRE_', `1')
LOCAL_TLS_CLIENT
R$* $| MAIL			$: $1 $| $>CanonAddr $&f	whose mail is it?
R$* $| $* <@ $+ . > $*		$: $1 $| $2 <@ $3 > $4
R$* $| $* <@ $+ > $*		$: $1 $| $>D <$3> <?> <! "TLS_From"> <>
R$* $| <?> <>			$@ OK
ifdef(`_ATMPF_', `R$* $| <$* _ATMPF_> <>	$#error $@ 4.3.0 $: _TMPFMSG_(`TF')
')dnl
R$* $| <$+> <>			$@ $>"TLS_connection" $1 $| <$2>
R$*				$@ OK
divert(0)dnl
