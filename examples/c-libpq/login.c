// The part to take along: lakekey says how to connect, libpq connects, and when the server refuses the token a fresh one
// is tried once.

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "login.h"

enum { LOGIN_SECONDS = 15 };

static void complain(lk_error *err) {
  fprintf(stderr, "%s\n", lk_error_text(err));
  lk_error_free(err);
}

// Waits until the socket is ready for what libpq wants to do next; not so at the deadline.
static int ready(PGconn *conn, PostgresPollingStatusType wanted, time_t deadline) {
  struct pollfd socket = {PQsocket(conn), wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT, 0};
  time_t left = deadline - time(NULL);
  return left > 0 && poll(&socket, 1, (int)left * 1000) > 0;
}

// Connects as PQconnectdbParams would. Step by step, because that one says nothing of SQLSTATE: here libpq can be asked
// to put it into its message before the server has answered.
static PGconn *dial(const char *const *keywords, const char *const *values) {
  PGconn *conn = PQconnectStartParams(keywords, values, 0);
  if (!conn) return NULL;
  PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
  time_t deadline = time(NULL) + LOGIN_SECONDS;
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (PQstatus(conn) != CONNECTION_BAD && next != PGRES_POLLING_OK && next != PGRES_POLLING_FAILED) {
    if (!ready(conn, next, deadline)) {
      fprintf(stderr, "no login within %d seconds\n", LOGIN_SECONDS);
      PQfinish(conn);
      return NULL;
    }
    next = PQconnectPoll(conn);
  }
  return conn;
}

// The code in `FATAL:  28P01: password authentication failed`, or an empty one.
static void sqlstate_of(const char *message, char state[6]) {
  const char *at = strstr(message, "FATAL:  ");
  state[0] = '\0';
  if (at && strspn(at + 8, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5) {
    memcpy(state, at + 8, 5);
    state[5] = '\0';
  }
}

// What to do about a failed login: 1 to try again with a fresh token, else 0.
static int try_again(const lk_client *client, const lk_connect *connect, const lk_connect_info *info, PGconn *conn) {
  const char *message = PQerrorMessage(conn);
  char state[6];
  sqlstate_of(message, state);
  uint32_t refused = 0, fresh = 0;
  lk_error *err = NULL;
  lk_login_refuses_token(state, strlen(state), message, LK_NUL_TERMINATED, &refused);
  if (refused && info->cached &&
      lk_client_invalidate(client, info->password, LK_NUL_TERMINATED, &fresh, &err) == LK_OK && fresh) {
    fprintf(stderr, "%s: the token was refused; trying a fresh one\n", state);
    return 1;
  }
  lk_error_free(err);
  err = NULL;
  lk_connect_explain(connect, state, strlen(state), message, LK_NUL_TERMINATED, &err);
  complain(err);
  return 0;
}

PGconn *login(const lk_client *client) {
  for (int again = 1, tries = 0; again && tries < 2; tries += 1) {
    lk_error *err = NULL;
    lk_connect *connect = NULL;
    if (lk_client_connect_params(client, NULL, &connect, &err) != LK_OK) {
      complain(err);
      return NULL;
    }
    lk_connect_info info = {.struct_size = sizeof info};
    lk_connect_get(connect, &info);
    PGconn *conn = dial(info.keywords, info.values);
    if (conn && PQstatus(conn) == CONNECTION_OK) {
      lk_connect_free(connect);
      return conn;
    }
    again = conn && try_again(client, connect, &info, conn);
    PQfinish(conn);
    lk_connect_free(connect);
  }
  return NULL;
}
