/*
 * owner - see owner.h.
 */
#include "owner.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

bool
owner_become(const char *directory)
{
	struct stat st;

	if (stat(directory, &st) != 0)
		return false;
	if (geteuid() != 0 || st.st_uid == 0)
		return true;
	return setgroups(0, NULL) == 0 && setresgid(st.st_gid, st.st_gid, st.st_gid) == 0 &&
	       setresuid(st.st_uid, st.st_uid, st.st_uid) == 0;
}
