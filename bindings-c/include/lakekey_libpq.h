// lakekey with libpq: a connection in one call. lakekey says what to dial, for how long and whether to try again; libpq
// dials. It is a header of its own so that liblakekey does not need libpq; read it for how to use an lk_plan.
//
// A program with a loop of events takes the same steps, with lk_plan_next_async and its own way to wait for a socket.

#ifndef LAKEKEY_LIBPQ_H
#define LAKEKEY_LIBPQ_H

#include <stdint.h>
#include <string.h>
#include <time.h>
#ifdef _WIN32
#include <winsock2.h>
#else
#include <poll.h>
#endif

#include <lakekey.h>
#include <libpq-fe.h>

// Milliseconds of a clock that nobody sets, where this program may see one.
static inline int64_t lk_libpq_now_ms(void) {
  struct timespec now;
#ifdef CLOCK_MONOTONIC
  clock_gettime(CLOCK_MONOTONIC, &now);
#else
  timespec_get(&now, TIME_UTC);
#endif
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Waits until the connection's socket is ready for its next step; not longer than that. 0 if it is not.
static inline int lk_libpq_ready(const PGconn *conn, PostgresPollingStatusType wanted, int64_t ms) {
  int wait = ms > 60000 ? 60000 : (int)ms;
#ifdef _WIN32
  WSAPOLLFD one = {(SOCKET)PQsocket(conn), 0, 0};
  one.events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT;
  return WSAPoll(&one, 1, wait) > 0;
#else
  struct pollfd one = {PQsocket(conn), 0, 0};
  one.events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT;
  return poll(&one, 1, wait) > 0;
#endif
}

// One dial and login. `said` is why it failed, NULL if it did not. Step by step, because PQconnectdbParams keeps the
// SQLSTATE to itself and counts its time in whole seconds.
static inline PGconn *lk_libpq_dial(const lk_connect_info *info, const char **said) {
  int64_t end = lk_libpq_now_ms() + (int64_t)info->timeout_ms;
  PGconn *conn = PQconnectStartParams(info->keywords, info->values, 0);
  PGVerbosity usual = PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
  PostgresPollingStatusType next = PQstatus(conn) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (next == PGRES_POLLING_READING || next == PGRES_POLLING_WRITING) {
    int64_t left = end - lk_libpq_now_ms();
    if (left <= 0) {
      *said = "timeout expired";
      return conn;
    }
    if (lk_libpq_ready(conn, next, left)) next = PQconnectPoll(conn);
  }
  *said = next == PGRES_POLLING_OK ? NULL : PQerrorMessage(conn);
  PQsetErrorVerbosity(conn, usual);
  return conn;
}

// The SQLSTATE in libpq's `FATAL:  28P01: password authentication failed`; its length is 0 where there is none.
static inline const char *lk_libpq_sqlstate(const char *said, size_t *len) {
  *len = 0;
  for (const char *at = said ? strstr(said, ":  ") : NULL; at; at = strstr(at + 3, ":  ")) {
    if (strspn(at + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && at[8] == ':') {
      *len = 5;
      return at + 3;
    }
  }
  return NULL;
}

// Connects, and gives a connection that is logged in: PQfinish ends it. A database that wakes is waited for, a refused
// token is replaced once, and the error says what to do about the rest. `request` may be NULL; its `budget_ms` bounds
// all of it.
static inline lk_status lk_libpq_connect(const lk_client *client, const lk_connect_request *request, PGconn **out,
                                         lk_error **err) {
  lk_plan *plan = NULL;
  PGconn *conn = NULL;
  const char *said = NULL;
  lk_status status = lk_client_plan(client, request, &plan, err);
  while (status == LK_OK) {
    lk_connect *attempt = NULL;
    size_t len = 0;
    const char *sqlstate = lk_libpq_sqlstate(said, &len);
    status = lk_plan_next(plan, sqlstate, len, said, LK_NUL_TERMINATED, &attempt, err);
    PQfinish(conn);
    conn = NULL;
    if (status != LK_OK) break;
    lk_connect_info info;
    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    status = lk_connect_get(attempt, &info);
    if (status == LK_OK) conn = lk_libpq_dial(&info, &said);
    lk_connect_free(attempt);
    if (conn && !said) {
      lk_plan_connected(plan);
      *out = conn;
      break;
    }
  }
  lk_plan_free(plan);
  return status;
}

#endif
