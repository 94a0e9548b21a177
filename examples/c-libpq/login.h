// A login by libpq that survives rotations.

#ifndef LOGIN_H
#define LOGIN_H

#include <lakekey.h>
#include <libpq-fe.h>

// Connects to the client's database; NULL if that failed, and why is then on stderr. A token out of the cache that the
// server refuses is thrown away, and one fresh one is tried.
PGconn *login(const lk_client *client);

#endif
