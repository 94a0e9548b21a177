// A program that logs in with libpq: by lakekey_libpq.h, by the plan and PQconnectdb, and by the plan from a loop of events.
// What refuses it, what the plan makes of that, and what is counted meanwhile.

#define _POSIX_C_SOURCE 200809L

#include <pthread.h>

#include "check.h"

#include <lakekey_libpq.h>

static uint64_t counted(const lk_client *client, const char *name, const char *label) {
  lk_stats *stats = NULL;
  lk_error *err = NULL;
  uint64_t value = 0;
  GOOD(err, lk_client_stats(client, &stats, &err));
  GIVES(LK_OK, lk_stats_count(stats, name, LK_NUL_TERMINATED, label, LK_NUL_TERMINATED, &value));
  GIVES(LK_OK, lk_stats_free(stats));
  return value;
}

static void works(PGconn *conn) {
  PGresult *result = PQexec(conn, "select current_user");
  CHECK(PQresultStatus(result) == PGRES_TUPLES_OK);
  same(PQgetvalue(result, 0, 0), needed("PGUSER"));
  PQclear(result);
  PQfinish(conn);
}

static void by_the_header(const lk_client *client) {
  PGconn *conn = NULL;
  lk_error *err = NULL;
  uint64_t logins = counted(client, "logins", NULL), attempts = counted(client, "login_attempts", NULL);
  GOOD(err, lk_libpq_connect(client, NULL, &conn, &err));
  // As the program would have set it.
  CHECK(PQsetErrorVerbosity(conn, PQERRORS_DEFAULT) == PQERRORS_DEFAULT && !PQisnonblocking(conn));
  works(conn);
  CHECK(counted(client, "logins", NULL) == logins + 1);
  CHECK(counted(client, "login_attempts", NULL) == attempts + 1);
}

static void told_at_once(const lk_client *client) {
  lk_connect_request request;
  BLANK(request);
  request.database = "no-such-database";
  request.database_len = LK_NUL_TERMINATED;
  PGconn *conn = NULL;
  lk_error *err = NULL;
  uint64_t attempts = counted(client, "login_attempts", NULL);
  GIVES(LK_LOGIN_REFUSED, lk_libpq_connect(client, &request, &conn, &err));
  CHECK(!conn);
  CHECK(counted(client, "login_attempts", NULL) == attempts + 1);
  CHECK(counted(client, "login_failures", "database_missing") == 1);
  CHECK(counted(client, "failures", "LOGIN_REFUSED") == 1);
  lk_error_info info;
  BLANK(info);
  GIVES(LK_OK, lk_error_get(err, &info));
  same(info.login_kind, "database_missing");
  holds(info.hint, "CREATE DATABASE");
  CHECK(info.events_count > 1 && info.events[0] && !info.retryable);
  holds(info.events[info.events_count - 1], "gave up: database_missing");
  GIVES(LK_OK, lk_error_free(err));
}

// What a program with PQconnectdb does.
static void by_hand(const lk_client *client) {
  lk_plan *plan = NULL;
  lk_connect *attempt = NULL;
  lk_error *err = NULL;
  lk_connect_request request;
  BLANK(request);
  request.budget_ms = 20000;
  GOOD(err, lk_client_plan(client, &request, &plan, &err));
  GOOD(err, lk_plan_next(plan, NULL, 0, NULL, 0, &attempt, &err));
  lk_connect_info info;
  BLANK(info);
  GIVES(LK_OK, lk_connect_get(attempt, &info));
  CHECK(info.number == 1 && info.timeout_ms > 0 && info.timeout_ms <= 20000 && info.address && info.cached);
  lk_secret *conninfo = NULL, *first = NULL, *second = NULL;
  const char *text = NULL, *before = NULL;
  GIVES(LK_OK, lk_connect_conninfo(attempt, &conninfo));
  GIVES(LK_OK, lk_secret_get(conninfo, &text, NULL));
  holds(text, "connect_timeout=");
  holds(text, "hostaddr=");

  // The server refuses the cached token: exactly one fresh one.
  GOOD(err, lk_client_token(client, NULL, &first, &err));
  GIVES(LK_OK, lk_secret_get(first, &before, NULL));
  same(info.password, before);
  uint64_t mints = counted(client, "mints", NULL);
  GIVES(LK_OK, lk_connect_free(attempt));
  attempt = NULL;
  const char *refused = "connection to server at \"h\", port 1 failed: FATAL:  password authentication failed for user \"u\"";
  GOOD(err, lk_plan_next(plan, NULL, 0, refused, LK_NUL_TERMINATED, &attempt, &err));
  GIVES(LK_OK, lk_connect_get(attempt, &info));
  CHECK(info.number == 2 && !info.cached && strcmp(info.password, before) != 0);
  CHECK(counted(client, "mints", NULL) == mints + 1);
  GIVES(LK_OK, lk_secret_free(conninfo));
  GIVES(LK_OK, lk_connect_conninfo(attempt, &conninfo));
  GIVES(LK_OK, lk_secret_get(conninfo, &text, NULL));
  PGconn *conn = PQconnectdb(text);
  CHECK(PQstatus(conn) == CONNECTION_OK);
  GIVES(LK_OK, lk_plan_connected(plan));
  works(conn);
  GOOD(err, lk_client_token(client, NULL, &second, &err));
  GIVES(LK_OK, lk_secret_get(second, &text, NULL));
  same(info.password, text);
  GIVES(LK_OK, lk_connect_free(attempt));
  attempt = NULL;

  // And a fresh one that is refused as well ends it.
  GIVES(LK_LOGIN_REFUSED, lk_plan_next(plan, "28P01", 5, refused, LK_NUL_TERMINATED, &attempt, &err));
  CHECK(!attempt);
  holds(lk_error_text(err), "databricks_create_role");
  GIVES(LK_OK, lk_error_free(err));
  GIVES(LK_OK, lk_secret_free(first));
  GIVES(LK_OK, lk_secret_free(second));
  GIVES(LK_OK, lk_secret_free(conninfo));
  GIVES(LK_OK, lk_plan_free(plan));
  GIVES(LK_HANDLE_INVALID, lk_plan_connected(plan));
}

struct inbox {
  pthread_mutex_t lock;
  pthread_cond_t came;
  int told;
  lk_status status;
  lk_connect *connect;
  lk_error *error;
};

static void on_attempt(void *data, lk_status status, lk_connect *connect, lk_error *error) {
  struct inbox *inbox = (struct inbox *)data;
  pthread_mutex_lock(&inbox->lock);
  inbox->told += 1;
  inbox->status = status;
  inbox->connect = connect;
  inbox->error = error;
  pthread_cond_signal(&inbox->came);
  pthread_mutex_unlock(&inbox->lock);
}

static void fetch(struct inbox *inbox, int told) {
  pthread_mutex_lock(&inbox->lock);
  while (inbox->told < told) pthread_cond_wait(&inbox->came, &inbox->lock);
  pthread_mutex_unlock(&inbox->lock);
}

static void from_a_loop(const lk_client *client) {
  struct inbox inbox = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, NULL, NULL};
  lk_plan *plan = NULL;
  lk_cancel *cancel = NULL;
  lk_error *err = NULL;
  lk_connect_request request;
  BLANK(request);
  GOOD(err, lk_cancel_new(&cancel, &err));
  request.cancel = cancel;
  GOOD(err, lk_client_plan(client, &request, &plan, &err));
  GIVES(LK_CONFIG_INVALID, lk_plan_next_async(plan, NULL, 0, NULL, 0, NULL, NULL, NULL));
  GOOD(err, lk_plan_next_async(plan, NULL, 0, NULL, 0, on_attempt, &inbox, &err));
  fetch(&inbox, 1);
  GIVES(LK_OK, inbox.status);
  CHECK(inbox.connect && !inbox.error);
  lk_connect_info info;
  BLANK(info);
  GIVES(LK_OK, lk_connect_get(inbox.connect, &info));
  const char *said = NULL;
  PGconn *conn = lk_libpq_dial(&info, &said);
  CHECK(conn && !said);
  GIVES(LK_OK, lk_connect_free(inbox.connect));
  works(conn);

  // A database that is starting is waited for, and the wait can be ended; a plan that is freed still answers.
  const char *starting = "FATAL:  57P03: the database system is starting up";
  GOOD(err, lk_plan_next_async(plan, "57P03", 5, starting, LK_NUL_TERMINATED, on_attempt, &inbox, &err));
  GIVES(LK_OK, lk_cancel_now(cancel));
  fetch(&inbox, 2);
  CHECK(inbox.status == LK_CANCELLED || inbox.status == LK_OK);
  GIVES(LK_OK, lk_error_free(inbox.error));
  GIVES(LK_OK, inbox.status == LK_OK ? lk_connect_free(inbox.connect) : LK_OK);
  GOOD(err, lk_plan_next_async(plan, "57P03", 5, starting, LK_NUL_TERMINATED, on_attempt, &inbox, &err));
  GIVES(LK_OK, lk_plan_free(plan));
  fetch(&inbox, 3);
  GIVES(LK_CANCELLED, inbox.status);
  CHECK(!inbox.connect);
  holds(lk_error_text(inbox.error), "CANCELLED");
  GIVES(LK_OK, lk_error_free(inbox.error));
  GIVES(LK_OK, lk_cancel_free(cancel));
}

static void explains(void) {
  lk_explanation *explanation = NULL;
  lk_explanation_info info;
  lk_error *err = NULL;
  BLANK(info);
  const char *text = "FATAL:  role \"ann\" does not exist";
  GOOD(err, lk_explain(NULL, 0, text, LK_NUL_TERMINATED, &explanation, &err));
  GIVES(LK_OK, lk_explanation_get(explanation, &info));
  same(info.kind, "role_missing");
  same(info.budget, "never");
  holds(info.hint, "databricks_create_role");
  CHECK(!info.retry && !info.invalidate);
  GIVES(LK_OK, lk_explanation_free(explanation));
  GOOD(err, lk_explain("28P01", 5, "", 0, &explanation, &err));
  GIVES(LK_OK, lk_explanation_get(explanation, &info));
  same(info.kind, "stale_token");
  CHECK(info.retry && info.invalidate);
  GIVES(LK_OK, lk_explanation_free(explanation));
  GOOD(err, lk_explain(NULL, 0, "out of memory", LK_NUL_TERMINATED, &explanation, &err));
  GIVES(LK_OK, lk_explanation_get(explanation, &info));
  same(info.kind, "unknown");
  CHECK(!info.hint);
  GIVES(LK_OK, lk_explanation_free(explanation));
  GIVES(LK_CONFIG_INVALID, lk_explain(NULL, 0, NULL, 0, &explanation, &err));
  holds(lk_error_text(err), "argument `text`: is NULL");
  GIVES(LK_OK, lk_error_free(err));
}

static void finds_codes(void) {
  size_t len = 7;
  CHECK(!lk_libpq_sqlstate(NULL, &len) && len == 0);
  CHECK(!lk_libpq_sqlstate("timeout expired", &len) && len == 0);
  CHECK(!lk_libpq_sqlstate("FATAL:  no pg_hba.conf entry", &len) && len == 0);
  CHECK(!lk_libpq_sqlstate("a:  28P0", &len) && len == 0);
  const char *code = lk_libpq_sqlstate("connection to server at \"h\" failed: FATAL:  28P01: no\nLOCATION:  x", &len);
  CHECK(code && len == 5 && strncmp(code, "28P01", 5) == 0);
}

// Also those that are given again without a look.
static void each_hit_is_counted(const lk_client *client) {
  lk_error *err = NULL;
  uint64_t before = counted(client, "cache_hits", NULL);
  for (int at = 0; at < 1000; at += 1) {
    lk_secret *token = NULL;
    GOOD(err, lk_client_token(client, NULL, &token, &err));
    GIVES(LK_OK, lk_secret_free(token));
  }
  CHECK(counted(client, "cache_hits", NULL) == before + 1000);
}

static void all_that_is_counted(const lk_client *client) {
  lk_stats *stats = NULL;
  lk_error *err = NULL;
  lk_stats_info info;
  BLANK(info);
  GOOD(err, lk_client_stats(client, &stats, &err));
  GIVES(LK_OK, lk_stats_get(stats, &info));
  CHECK(info.counts_count > 7 && info.histograms_count >= 4 && info.events_count > 1 && info.clock_skew_known);
  int mints = 0, labelled = 0;
  for (size_t at = 0; at < info.counts_count; at += 1) {
    mints += strcmp(info.counts[at].name, "mints") == 0 && info.counts[at].value > 0;
    labelled += strcmp(info.counts[at].name, "login_failures") == 0 && info.counts[at].label[0] != '\0';
  }
  CHECK(mints == 1 && labelled >= 2);
  for (size_t at = 0; at < info.histograms_count; at += 1) {
    const lk_histogram *one = &info.histograms[at];
    uint64_t sum = 0;
    for (size_t bucket = 0; bucket < one->buckets; bucket += 1) sum += one->counts[bucket];
    CHECK(sum == one->count && one->buckets > 2 && one->bounds[0] < one->bounds[one->buckets - 2]);
  }
  for (size_t at = 0; at < info.events_count; at += 1) CHECK(strlen(info.events[at]) > 10);
  uint64_t value = 7;
  GIVES(LK_OK, lk_stats_count(stats, "failures", 8, "TIMEOUT", 7, &value));
  CHECK(value == 0);
  GIVES(LK_CONFIG_INVALID, lk_stats_count(stats, "logouts", 7, NULL, 0, &value));
  GIVES(LK_CONFIG_INVALID, lk_stats_count(stats, "mints", 5, "x", 1, &value));
  GIVES(LK_OK, lk_stats_free(stats));
  GIVES(LK_HANDLE_INVALID, lk_stats_get(stats, &info));
}

int main(void) {
  lk_error *err = NULL;
  lk_client *client = NULL;
  explains();
  finds_codes();
  GOOD(err, lk_client_new(NULL, &client, &err));
  by_the_header(client);
  told_at_once(client);
  by_hand(client);
  from_a_loop(client);
  each_hit_is_counted(client);
  all_that_is_counted(client);
  GIVES(LK_OK, lk_client_close(client));
  PGconn *conn = NULL;
  GIVES(LK_CLOSED, lk_libpq_connect(client, NULL, &conn, NULL));
  GIVES(LK_OK, lk_client_free(client));
  GIVES(LK_HANDLE_INVALID, lk_libpq_connect(client, NULL, &conn, NULL));
  puts("ok");
  return 0;
}
