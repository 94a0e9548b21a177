// The app in C: one connection of libpq, made anew when there is none, with one fresh token for a refused one.

#define _POSIX_C_SOURCE 200809L

#include <lakekey.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 4096, FIELDS = 8, MOST = 500 };

static lk_client *client;
static PGconn *open;
// What the session was made with.
static lk_connect *made;
static char endpoint[LINE], user[LINE], budget[LINE];
static unsigned long ttl;

// One field of an answer: tabs and line ends would end it.
static void put(const char *text) {
  putchar('\t');
  for (; text && *text; text += 1) putchar(strchr("\t\r\n", *text) ? ' ' : *text);
}

static void failed(const char *kind, const char *code, const char *hint, const char *text) {
  fputs("failed", stdout);
  put(kind);
  put(code);
  put(hint);
  put(text);
  putchar('\n');
}

static void failed_by(lk_error *err) {
  lk_error_info info = {.struct_size = sizeof info};
  if (lk_error_get(err, &info) == LK_OK) {
    failed(info.login_kind, info.slug, info.hint, lk_error_text(err));
  } else {
    failed("", "", "", "an error that cannot be read");
  }
  lk_error_free(err);
}

// Dials with the parameters of `connect`; libpq's own limit is the budget.
static PGconn *dial(const lk_connect_info *info) {
  const char **keywords = calloc(info->count + 2, sizeof *keywords);
  const char **values = calloc(info->count + 2, sizeof *values);
  if (!keywords || !values) abort();
  memcpy(keywords, info->keywords, info->count * sizeof *keywords);
  memcpy(values, info->values, info->count * sizeof *values);
  keywords[info->count] = "connect_timeout";
  values[info->count] = budget;
  PGconn *conn = PQconnectdbParams(keywords, values, 0);
  free(keywords);
  free(values);
  return conn;
}

// Whether the session goes on. libpq looks at its socket when it is told to: once for what was said, once for the end.
static int alive(void) {
  return open && PQconsumeInput(open) && PQconsumeInput(open) && PQstatus(open) == CONNECTION_OK;
}

// Logs in: the session and what it was made with, or the error.
static lk_error *log_in(PGconn **out, lk_connect **with) {
  for (int tries = 0;; tries += 1) {
    lk_error *err = NULL;
    lk_connect *connect = NULL;
    lk_connect_request request = {.struct_size = sizeof request,
                                  .target = endpoint,
                                  .target_len = LK_NUL_TERMINATED,
                                  .ttl_ms = 1000 * ttl,
                                  .timeout_ms = 1000 * strtoul(budget, NULL, 10)};
    if (*user) {
      request.user = user;
      request.user_len = LK_NUL_TERMINATED;
    }
    if (lk_client_connect_params(client, &request, &connect, &err) != LK_OK) return err;
    lk_connect_info info = {.struct_size = sizeof info};
    lk_connect_get(connect, &info);
    PGconn *conn = dial(&info);
    if (PQstatus(conn) == CONNECTION_OK) {
      *out = conn;
      *with = connect;
      return NULL;
    }
    const char *message = PQerrorMessage(conn);
    uint32_t refused = 0, fresh = 0;
    lk_login_refuses_token(NULL, 0, message, LK_NUL_TERMINATED, &refused);
    int again = tries == 0 && refused && info.cached &&
                lk_client_invalidate(client, info.password, LK_NUL_TERMINATED, &fresh, NULL) == LK_OK && fresh;
    if (!again) lk_connect_explain(connect, NULL, 0, message, LK_NUL_TERMINATED, &err);
    lk_connect_free(connect);
    PQfinish(conn);
    if (!again) return err;
  }
}

// Whether the connection is there now; else the failure has been told.
static int connected(void) {
  if (alive()) return 1;
  PQfinish(open);
  open = NULL;
  lk_connect_free(made);
  made = NULL;
  lk_error *err = log_in(&open, &made);
  if (err) failed_by(err);
  return !err;
}

// One of many logins at the same time; NULL when it went well.
static void *stormed(void *unused) {
  (void)unused;
  PGconn *conn = NULL;
  lk_connect *with = NULL;
  lk_error *err = log_in(&conn, &with);
  if (err) return err;
  PGresult *result = PQexec(conn, "select 1");
  if (PQresultStatus(result) != PGRES_TUPLES_OK) {
    lk_connect_explain(with, NULL, 0, PQerrorMessage(conn), LK_NUL_TERMINATED, &err);
  }
  PQclear(result);
  PQfinish(conn);
  lk_connect_free(with);
  return err;
}

static void storm(unsigned long count) {
  static pthread_t threads[MOST];
  lk_error *err = NULL;
  unsigned long begun = 0;
  for (; begun < count && begun < MOST; begun += 1) {
    if (pthread_create(&threads[begun], NULL, stormed, NULL)) abort();
  }
  for (unsigned long one = 0; one < begun; one += 1) {
    void *said = NULL;
    pthread_join(threads[one], &said);
    if (err) {
      lk_error_free(said);
    } else {
      err = said;
    }
  }
  if (err) {
    failed_by(err);
  } else {
    printf("ok\t%lu\n", begun);
  }
}

static void query(const char *sql) {
  if (!connected()) return;
  PGresult *result = PQexec(open, sql);
  ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
    fputs("ok", stdout);
    put(PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    putchar('\n');
  } else {
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    lk_error *err = NULL;
    lk_connect_explain(made, code, code ? strlen(code) : 0, PQerrorMessage(open), LK_NUL_TERMINATED, &err);
    failed_by(err);
  }
  PQclear(result);
}

static void leave(void) {
  PQfinish(open);
  lk_connect_free(made);
  lk_client_free(client);
  open = NULL;
  made = NULL;
  client = NULL;
}

int main(void) {
  char line[LINE];
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = '\0';
    char *fields[FIELDS] = {line, "", "", "", ""}, *rest = line;
    for (int count = 1; count < FIELDS && (rest = strchr(rest, '\t')); count += 1) {
      *rest++ = '\0';
      fields[count] = rest;
    }
    int storms = !strcmp(fields[0], "storm");
    if (storms || !strcmp(fields[0], "connect")) {
      lk_error *err = NULL;
      leave();
      strcpy(endpoint, fields[1]);
      ttl = strtoul(fields[2], NULL, 10);
      strcpy(budget, fields[3]);
      strcpy(user, storms ? "" : fields[4]);
      if (lk_client_new(NULL, &client, &err) != LK_OK) {
        failed_by(err);
      } else if (storms) {
        storm(strtoul(fields[4], NULL, 10));
      } else {
        query("select 1");
      }
    } else if (!strcmp(fields[0], "query")) {
      query(fields[1]);
    } else if (!strcmp(fields[0], "close")) {
      leave();
      puts("ok");
    } else {
      break;
    }
    fflush(stdout);
  }
  leave();
}
