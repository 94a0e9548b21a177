// What a program gets that does it right: a token, a credential, a login's parameters and connection string, a fresh token
// after the old one was refused, its log, its own workspace token, a management call, and the end of a wait.

#define _POSIX_C_SOURCE 200809L

#include <pthread.h>

#include "check.h"

static lk_client *client_of(const lk_client_options *options) {
  lk_error *err = NULL;
  lk_client *client = NULL;
  GOOD(err, lk_client_new(options, &client, &err));
  return client;
}

static const char *text_of(const lk_secret *secret) {
  const char *text = NULL;
  size_t len = 0;
  GIVES(LK_OK, lk_secret_get(secret, &text, &len));
  CHECK(text && strlen(text) == len && len > 0);
  return text;
}

static void tokens(const lk_client *client) {
  lk_error *err = NULL;
  lk_secret *first = NULL, *second = NULL, *third = NULL;
  GOOD(err, lk_client_token(client, NULL, &first, &err));
  GOOD(err, lk_client_token(client, NULL, &second, &err));
  same(text_of(second), text_of(first));
  CHECK(strlen(text_of(first)) > 100);

  lk_credential_request request;
  BLANK(request);
  request.target = needed("LAKEBASE_ENDPOINT");
  request.target_len = LK_NUL_TERMINATED;
  request.timeout_ms = 20000;
  GOOD(err, lk_client_token(client, &request, &third, &err));
  same(text_of(third), text_of(first));
  GIVES(LK_OK, lk_secret_free(third));

  uint32_t fresh = 7;
  GOOD(err, lk_client_invalidate(client, text_of(first), LK_NUL_TERMINATED, &fresh, &err));
  CHECK(fresh == 1);
  GOOD(err, lk_client_token(client, &request, &third, &err));
  CHECK(strcmp(text_of(third), text_of(first)) != 0);
  GOOD(err, lk_client_invalidate(client, text_of(first), strlen(text_of(first)), NULL, &err));
  GIVES(LK_OK, lk_secret_free(first));
  // What was handed out before stays good.
  CHECK(strlen(text_of(second)) > 100);
  GIVES(LK_OK, lk_secret_free(second));
  GIVES(LK_OK, lk_secret_free(third));
  CHECK(!err);
}

static void credentials(const lk_client *client) {
  lk_error *err = NULL;
  lk_credential *credential = NULL;
  lk_credential_info info;
  BLANK(info);
  GOOD(err, lk_client_credential(client, NULL, &credential, &err));
  GIVES(LK_OK, lk_credential_get(credential, &info));
  same(info.endpoint, needed("LAKEBASE_ENDPOINT"));
  same(info.subject, needed("PGUSER"));
  CHECK(info.expires_at_ms > info.issued_at_ms && info.issued_at_ms > 1000000000000);
  lk_secret *token = NULL;
  GIVES(LK_OK, lk_credential_token(credential, &token));
  GIVES(LK_OK, lk_credential_free(credential));
  CHECK(strlen(text_of(token)) > 100);
  GIVES(LK_OK, lk_secret_free(token));

  lk_credential_request request;
  BLANK(request);
  request.target = "projects/no-such-project";
  request.target_len = LK_NUL_TERMINATED;
  lk_credential *const before = credential;
  GIVES(LK_TARGET_NOT_FOUND, lk_client_credential(client, &request, &credential, &err));
  CHECK(credential == before);
  lk_error_info facts;
  BLANK(facts);
  GIVES(LK_OK, lk_error_get(err, &facts));
  CHECK(facts.code == LK_TARGET_NOT_FOUND && facts.http_status == 404 && !facts.retryable);
  same(facts.slug, "TARGET_NOT_FOUND");
  holds(facts.message, "no-such-project");
  CHECK(facts.hint && facts.request_id);
  GIVES(LK_OK, lk_error_free(err));
}

static const char *value_of(const lk_connect_info *info, const char *keyword) {
  for (size_t at = 0; at < info->count; at += 1) {
    if (strcmp(info->keywords[at], keyword) == 0) return info->values[at];
  }
  return NULL;
}

static void logins(const lk_client *client) {
  lk_error *err = NULL;
  lk_connect *connect = NULL;
  lk_connect_request request;
  BLANK(request);
  request.database = "shop";
  request.database_len = 4;
  GOOD(err, lk_client_prepare(client, &request, &err));
  GOOD(err, lk_client_connect_params(client, &request, &connect, &err));
  lk_connect_info info;
  BLANK(info);
  GIVES(LK_OK, lk_connect_get(connect, &info));
  CHECK(info.count > 5 && !info.keywords[info.count] && !info.values[info.count]);
  same(value_of(&info, "host"), needed("PGHOST"));
  same(value_of(&info, "port"), needed("PGPORT"));
  same(value_of(&info, "dbname"), "shop");
  same(value_of(&info, "user"), needed("PGUSER"));
  same(value_of(&info, "sslmode"), "verify-full");
  same(value_of(&info, "password"), info.password);
  same(info.user, needed("PGUSER"));
  same(info.subject, needed("PGUSER"));

  lk_secret *conninfo = NULL, *again = NULL;
  GIVES(LK_OK, lk_connect_conninfo(connect, &conninfo));
  holds(text_of(conninfo), "dbname=shop");
  holds(text_of(conninfo), info.password);
  GOOD(err, lk_client_conninfo(client, &request, &again, &err));
  same(text_of(again), text_of(conninfo));
  GIVES(LK_OK, lk_secret_free(again));
  GIVES(LK_OK, lk_secret_free(conninfo));

  CHECK(info.number == 0 && info.timeout_ms == 0 && !info.address);
  GIVES(LK_OK, lk_connect_free(connect));

  err = NULL;
  request.port = 65536;
  GIVES(LK_CONFIG_INVALID, lk_client_connect_params(client, &request, &connect, &err));
  holds(lk_error_text(err), "65536 is no port");
  GIVES(LK_OK, lk_error_free(err));
}

static void on_record(void *data, const lk_log_record *record) {
  CHECK(record->struct_size >= sizeof *record && record->at_ms > 1000000000000);
  CHECK(record->level >= LK_LOG_ERROR && record->level <= LK_LOG_DEBUG && record->dropped == 0);
  CHECK(strncmp(record->source, "lakekey", 7) == 0 && record->text[0]);
  *(unsigned *)data += 1;
}

static void logs(const lk_client *client) {
  unsigned seen = 0;
  lk_error *err = NULL;
  GOOD(err, lk_log_sink(LK_LOG_DEBUG, on_record, &seen, &err));
  lk_secret *token = NULL;
  lk_credential_request request;
  BLANK(request);
  request.ttl_ms = 600000;
  GOOD(err, lk_client_token(client, &request, &token, &err));
  GIVES(LK_OK, lk_secret_free(token));
  GIVES(LK_OK, lk_log_flush());
  CHECK(seen > 0);
  unsigned before = seen;
  GOOD(err, lk_log_sink(LK_LOG_OFF, NULL, NULL, &err));
  GIVES(LK_OK, lk_log_flush());
  CHECK(seen == before);
}

struct source {
  const char *token;
  int says;
  unsigned asked, freed;
};

static int32_t on_token(void *data, lk_token_answer *answer) {
  struct source *source = (struct source *)data;
  source->asked += 1;
  if (source->token) {
    // The last one counts.
    GIVES(LK_OK, lk_token_answer_set(answer, "not this one", LK_NUL_TERMINATED, 0));
    GIVES(LK_OK, lk_token_answer_set(answer, source->token, strlen(source->token), 0));
  }
  return source->says;
}

static void on_free(void *data) { ((struct source *)data)->freed += 1; }

static void callbacks(void) {
  const char *secret = "dapi-of-the-callback";
  struct source sources[] = {
      {needed("LAKEKEY_TEST_TOKEN"), 0, 0, 0}, {NULL, 0, 0, 0}, {secret, 41, 0, 0}, {secret, 0, 0, 0}, {"a\nb", 0, 0, 0}};
  const lk_status ends[] = {LK_OK, LK_AUTH_CALLBACK, LK_AUTH_CALLBACK, LK_AUTH_DENIED, LK_AUTH_CALLBACK};
  const char *const parts[] = {"", "gave no token", "returned 41", "", "blanks or control characters"};
  for (size_t at = 0; at < sizeof sources / sizeof *sources; at += 1) {
    lk_setting host = {"host", 4, needed("DATABRICKS_HOST"), LK_NUL_TERMINATED};
    lk_client_options options;
    BLANK(options);
    options.settings = &host;
    options.settings_count = 1;
    options.token_callback = on_token;
    options.token_data = &sources[at];
    options.token_data_free = on_free;
    lk_client *client = client_of(&options);
    lk_error *err = NULL;
    lk_secret *token = NULL;
    lk_status status = lk_client_token(client, NULL, &token, &err);
    if (status != ends[at]) fprintf(stderr, "callback %zu: %s\n", at, lk_error_text(err));
    CHECK(status == ends[at] && sources[at].asked >= 1);
    if (status != LK_OK) holds(lk_error_text(err), parts[at]);
    CHECK(!strstr(lk_error_text(err), secret));
    GIVES(LK_OK, lk_error_free(err));
    GIVES(LK_OK, lk_secret_free(token));
    GIVES(LK_OK, lk_client_free(client));
  }
  // Freed with the last request that may call it.
  for (size_t at = 0; at < sizeof sources / sizeof *sources; at += 1) {
    for (int wait = 0; sources[at].freed == 0 && wait < 1000; wait += 1) rest_ms(10);
    CHECK(sources[at].freed == 1);
  }
}

static void management(const lk_client *client) {
  lk_error *err = NULL;
  lk_secret *answer = NULL;
  GOOD(err, lk_call(client, "list_projects", LK_NUL_TERMINATED, NULL, 0, NULL, &answer, &err));
  holds(text_of(answer), "projects/emulator");
  GIVES(LK_OK, lk_secret_free(answer));
  const char *name = "{\"name\": \"projects/no-such-project\"}";
  GIVES(LK_API_NOT_FOUND, lk_call(client, "get_project", 11, name, strlen(name), NULL, &answer, &err));
  holds(lk_error_text(err), "no-such-project");
  GIVES(LK_OK, lk_error_free(err));
  GIVES(LK_API_ARGUMENT, lk_call(client, "no_such_method", 14, NULL, 0, NULL, &answer, &err));
  holds(lk_error_text(err), "no_such_method");
  GIVES(LK_OK, lk_error_free(err));
  GIVES(LK_API_ARGUMENT, lk_call(client, "get_project", 11, "{\"name\": ", 9, NULL, &answer, &err));
  GIVES(LK_OK, lk_error_free(err));

  lk_wait_options patient;
  BLANK(patient);
  patient.timeout_ms = 60000;
  const char *make = "{\"parent\": \"projects/emulator\", \"branch_id\": \"of-c\", \"branch\": {\"spec\": {\"no_expiry\": true}}}";
  lk_secret *made = NULL;
  GOOD(err, lk_call(client, "create_branch", 13, make, strlen(make), NULL, &made, &err));
  GOOD(err, lk_wait_operation(client, text_of(made), LK_NUL_TERMINATED, &patient, &answer, &err));
  holds(text_of(answer), "projects/emulator/branches/of-c");
  GIVES(LK_OK, lk_secret_free(made));
  GIVES(LK_OK, lk_secret_free(answer));
  const char *over = "{\"name\": \"projects/emulator/operations/a\", \"done\": true, \"response\": {\"name\": \"it\"}}";
  GOOD(err, lk_wait_operation(client, over, strlen(over), &patient, &answer, &err));
  same(text_of(answer), "{\"name\":\"it\"}");
  GIVES(LK_OK, lk_secret_free(answer));
  const char *bad = "{\"name\": \"projects/emulator/operations/a\", \"done\": true, \"error\": {\"message\": \"it broke\"}}";
  GIVES(LK_OPERATION_FAILED, lk_wait_operation(client, bad, strlen(bad), &patient, &answer, &err));
  holds(lk_error_text(err), "it broke");
  GIVES(LK_OK, lk_error_free(err));
}

static void *cancels(void *cancel) {
  rest_ms(100);
  GIVES(LK_OK, lk_cancel_now((const lk_cancel *)cancel));
  return NULL;
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// A host that never answers: the test takes care of that.
static void waits_end(void) {
  lk_setting settings[] = {{"host", 4, needed("LAKEKEY_TEST_SILENT_HOST"), LK_NUL_TERMINATED},
                           {"token", 5, "dapi-x", LK_NUL_TERMINATED}};
  lk_client_options options;
  BLANK(options);
  options.settings = settings;
  options.settings_count = 2;
  lk_client *client = client_of(&options);
  lk_error *err = NULL;
  lk_secret *token = NULL;
  lk_credential_request request;
  BLANK(request);
  request.timeout_ms = 200;
  double begun = seconds();
  lk_status status = lk_client_token(client, &request, &token, &err);
  CHECK(status == LK_TIMEOUT || status == LK_CREDENTIAL_UNAVAILABLE || status == LK_HTTP_TIMEOUT);
  CHECK(seconds() - begun < 5);
  GIVES(LK_OK, lk_error_free(err));

  lk_cancel *cancel = NULL;
  GOOD(err, lk_cancel_new(&cancel, &err));
  request.timeout_ms = 60000;
  request.cancel = cancel;
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, cancels, cancel) == 0);
  begun = seconds();
  GIVES(LK_CANCELLED, lk_client_token(client, &request, &token, NULL));
  CHECK(seconds() - begun < 5);
  CHECK(pthread_join(thread, NULL) == 0);
  // It stays cancelled.
  GIVES(LK_CANCELLED, lk_client_token(client, &request, &token, NULL));
  GIVES(LK_OK, lk_cancel_free(cancel));
  CHECK(!token);
  GIVES(LK_OK, lk_client_free(client));
}

int main(void) {
  lk_client *client = client_of(NULL);
  tokens(client);
  credentials(client);
  logins(client);
  logs(client);
  callbacks();
  management(client);
  waits_end();
  GIVES(LK_OK, lk_client_close(client));
  GIVES(LK_OK, lk_client_free(client));
  puts("ok");
  return 0;
}
