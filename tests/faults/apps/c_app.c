// The app in C: one connection of libpq, made by lakekey's connect plan when there is none.

#define _POSIX_C_SOURCE 200809L

#include <lakekey.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 4096, FIELDS = 8, MOST = 500 };

static lk_client *client;
static PGconn *open;
static char endpoint[LINE], user[LINE];
static unsigned long ttl, budget;

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

// What a query's error means.
static void explained(const char *code, const char *text) {
  lk_explanation *explanation = NULL;
  lk_explanation_info info = {.struct_size = sizeof info};
  lk_error *err = NULL;
  if (lk_explain(code, code ? strlen(code) : 0, text, LK_NUL_TERMINATED, &explanation, &err) != LK_OK) {
    failed_by(err);
    return;
  }
  lk_explanation_get(explanation, &info);
  failed(info.kind, code, info.hint, text);
  lk_explanation_free(explanation);
}

// Whether the session goes on. libpq looks at its socket when it is told to: once for what was said, once for the end.
static int alive(void) {
  return open && PQconsumeInput(open) && PQconsumeInput(open) && PQstatus(open) == CONNECTION_OK;
}

// Logs in by lakekey's plan: the session, or the error.
static lk_error *log_in(PGconn **out) {
  lk_connect_request request = {.struct_size = sizeof request,
                                .target = endpoint,
                                .target_len = LK_NUL_TERMINATED,
                                .ttl_ms = 1000 * ttl,
                                .budget_ms = 1000 * budget};
  if (*user) {
    request.user = user;
    request.user_len = LK_NUL_TERMINATED;
  }
  lk_plan *plan = NULL;
  lk_error *err = NULL;
  PGconn *conn = NULL;
  lk_status status = lk_client_plan(client, &request, &plan, &err);
  while (status == LK_OK) {
    const char *said = conn ? PQerrorMessage(conn) : NULL;
    lk_connect *connect = NULL;
    status = lk_plan_next(plan, NULL, 0, said, said ? LK_NUL_TERMINATED : 0, &connect, &err);
    PQfinish(conn);
    conn = NULL;
    if (status != LK_OK) break;
    lk_connect_info info = {.struct_size = sizeof info};
    lk_connect_get(connect, &info);
    conn = PQconnectdbParams(info.keywords, info.values, 0);
    lk_connect_free(connect);
    if (PQstatus(conn) == CONNECTION_OK) {
      lk_plan_connected(plan);
      *out = conn;
      break;
    }
  }
  lk_plan_free(plan);
  return status == LK_OK ? NULL : err;
}

// Whether the connection is there now; else the failure has been told.
static int connected(void) {
  if (alive()) return 1;
  PQfinish(open);
  open = NULL;
  lk_error *err = log_in(&open);
  if (err) failed_by(err);
  return !err;
}

static atomic_uint served;

// One of many logins at the same time; NULL when it went well.
static void *stormed(void *unused) {
  (void)unused;
  PGconn *conn = NULL;
  lk_error *err = log_in(&conn);
  if (err) return err;
  PGresult *result = PQexec(conn, "select 1");
  if (PQresultStatus(result) == PGRES_TUPLES_OK) served += 1;
  PQclear(result);
  PQfinish(conn);
  return NULL;
}

static void storm(unsigned long count) {
  served = 0;
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
    printf("ok\t%u\n", served);
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
    explained(PQresultErrorField(result, PG_DIAG_SQLSTATE), PQerrorMessage(open));
  }
  PQclear(result);
}

static void leave(void) {
  PQfinish(open);
  lk_client_free(client);
  open = NULL;
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
      budget = strtoul(fields[3], NULL, 10);
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
