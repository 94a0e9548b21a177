// The steps of one conformance case, done with the C library and libpq. A step comes on stdin: the line with its name,
// then a line with name, tab and value for each argument, in which `\\` and `\n` stand for a backslash and a line break,
// then an empty one. The answer goes to stdout as one line of
// JSON. `../run_c.py` asks and compares.

#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lakekey.h>
#include <libpq-fe.h>

enum { MOST_ARGUMENTS = 32, MOST_THREADS = 512 };

struct argument {
  char *name, *value;
};

struct step {
  char *op;
  struct argument arguments[MOST_ARGUMENTS];
  size_t count;
};

static lk_client *client;

static void stop(const char *why) {
  fprintf(stderr, "%s\n", why);
  exit(2);
}

// A line without its end; NULL at the end of the input.
static char *line(void) {
  char *text = NULL;
  size_t room = 0;
  ssize_t len = getline(&text, &room, stdin);
  if (len < 0) {
    free(text);
    return NULL;
  }
  if (len > 0 && text[len - 1] == '\n') text[len - 1] = '\0';
  return text;
}

static void unescape(char *text) {
  char *to = text;
  for (const char *from = text; *from; from += 1) {
    if (*from == '\\') {
      from += 1;
      *to++ = *from == 'n' ? '\n' : *from;
    } else {
      *to++ = *from;
    }
  }
  *to = '\0';
}

static int next(struct step *step) {
  step->count = 0;
  step->op = line();
  if (!step->op) return 0;
  for (char *text = line(); text && *text; text = line()) {
    char *tab = strchr(text, '\t');
    if (!tab || step->count == MOST_ARGUMENTS) stop("an argument that is none");
    *tab = '\0';
    unescape(tab + 1);
    step->arguments[step->count].name = text;
    step->arguments[step->count].value = tab + 1;
    step->count += 1;
  }
  return 1;
}

// An argument's text; NULL if it is not given.
static const char *text_of(const struct step *step, const char *name) {
  for (size_t at = 0; at < step->count; at += 1) {
    if (strcmp(step->arguments[at].name, name) == 0) return step->arguments[at].value;
  }
  return NULL;
}

static uint64_t number_of(const struct step *step, const char *name) {
  const char *text = text_of(step, name);
  return text ? strtoull(text, NULL, 10) : 0;
}

static void json_text(const char *text) {
  if (!text) {
    fputs("null", stdout);
    return;
  }
  putchar('"');
  for (const unsigned char *at = (const unsigned char *)text; *at; at += 1) {
    if (*at == '"' || *at == '\\') printf("\\%c", *at);
    else if (*at < ' ') printf("\\u%04x", *at);
    else putchar(*at);
  }
  putchar('"');
}

static void json_field(const char *before, const char *name, const char *value) {
  printf("%s", before);
  json_text(name);
  putchar(':');
  json_text(value);
}

static void fail(lk_error *err) {
  lk_error_info info = {.struct_size = sizeof info};
  if (lk_error_get(err, &info) != LK_OK) stop("a failure without an error");
  json_field("{\"failure\":{", "text", lk_error_text(err));
  json_field(",", "slug", info.slug);
  json_field(",", "message", info.message);
  json_field(",", "hint", info.hint);
  json_field(",", "api_code", info.api_code);
  printf(",\"code\":%u,\"retryable\":%s", (unsigned)info.code, info.retryable ? "true" : "false");
  if (info.http_status) printf(",\"http_status\":%u", (unsigned)info.http_status);
  else printf(",\"http_status\":null");
  printf(",\"causes\":[");
  for (uint32_t at = 0; at < info.causes_count; at += 1) {
    if (at) putchar(',');
    json_text(info.causes[at]);
  }
  printf("]}}\n");
  lk_error_free(err);
}

// Prints a secret as the only field of the result.
static void tell_secret(const char *name, lk_secret *secret) {
  const char *text = NULL;
  lk_secret_get(secret, &text, NULL);
  json_field("{", name, text);
  printf("}\n");
  lk_secret_free(secret);
}

static lk_status make_client(const struct step *step, lk_error **err) {
  lk_setting settings[MOST_ARGUMENTS];
  lk_client_options options = {.struct_size = sizeof options, .settings = settings};
  for (size_t at = 0; at < step->count; at += 1) {
    const char *name = step->arguments[at].name;
    if (strncmp(name, "settings.", 9) != 0) continue;
    settings[options.settings_count++] =
        (lk_setting){name + 9, LK_NUL_TERMINATED, step->arguments[at].value, LK_NUL_TERMINATED};
  }
  options.target = text_of(step, "target");
  options.target_len = LK_NUL_TERMINATED;
  options.product = text_of(step, "product");
  options.product_len = LK_NUL_TERMINATED;
  options.timeout_ms = number_of(step, "timeout_ms");
  lk_client_free(client);
  client = NULL;
  return lk_client_new(&options, &client, err);
}

static lk_credential_request credential_request(const struct step *step) {
  lk_credential_request request = {.struct_size = sizeof request};
  request.target = text_of(step, "target");
  request.target_len = LK_NUL_TERMINATED;
  request.ttl_ms = number_of(step, "ttl_ms");
  request.timeout_ms = number_of(step, "timeout_ms");
  return request;
}

static lk_connect_request connect_request(const struct step *step) {
  lk_connect_request request = {.struct_size = sizeof request};
  request.target = text_of(step, "target");
  request.database = text_of(step, "database");
  request.user = text_of(step, "user");
  request.sslmode = text_of(step, "sslmode");
  request.sslrootcert = text_of(step, "sslrootcert");
  request.target_len = request.database_len = request.user_len = LK_NUL_TERMINATED;
  request.sslmode_len = request.sslrootcert_len = LK_NUL_TERMINATED;
  request.port = (uint32_t)number_of(step, "port");
  request.ttl_ms = number_of(step, "ttl_ms");
  request.timeout_ms = number_of(step, "timeout_ms");
  return request;
}

static lk_status credential(const struct step *step, lk_error **err) {
  lk_credential_request request = credential_request(step);
  lk_credential *held = NULL;
  lk_status status = lk_client_credential(client, &request, &held, err);
  if (status != LK_OK) return status;
  lk_credential_info info = {.struct_size = sizeof info};
  lk_secret *token = NULL;
  const char *text = NULL;
  lk_credential_get(held, &info);
  lk_credential_token(held, &token);
  lk_secret_get(token, &text, NULL);
  json_field("{", "token", text);
  json_field(",", "subject", info.subject);
  json_field(",", "endpoint", info.endpoint);
  printf(",\"lifetime_s\":%llu}\n", (unsigned long long)((info.expires_at_ms - info.issued_at_ms + 500) / 1000));
  lk_secret_free(token);
  lk_credential_free(held);
  return LK_OK;
}

static void tell_params(const lk_connect_info *info) {
  for (size_t at = 0; at < info->count; at += 1) json_field(at ? "," : "{", info->keywords[at], info->values[at]);
  printf("}\n");
}

// By the arrays for PQconnectdbParams, with another password if the case says so.
static void tell_login(const lk_connect_info *info, const char *password) {
  const char **keywords = calloc(info->count + 2, sizeof *keywords), **values = calloc(info->count + 2, sizeof *values);
  if (!keywords || !values) stop("no memory");
  for (size_t at = 0; at < info->count; at += 1) {
    keywords[at] = info->keywords[at];
    values[at] = password && strcmp(keywords[at], "password") == 0 ? password : info->values[at];
  }
  keywords[info->count] = "connect_timeout";
  values[info->count] = "10";
  PGconn *conn = PQconnectdbParams(keywords, values, 0);
  PGresult *result = NULL;
  if (PQstatus(conn) == CONNECTION_OK) result = PQexec(conn, "select current_user, current_database()");
  if (PQresultStatus(result) == PGRES_TUPLES_OK) {
    json_field("{", "user", PQgetvalue(result, 0, 0));
    json_field(",", "database", PQgetvalue(result, 0, 1));
  } else {
    json_field("{", "refused", PQerrorMessage(conn));
  }
  printf("}\n");
  PQclear(result);
  PQfinish(conn);
  free(keywords);
  free(values);
}

static lk_status connected(const struct step *step, lk_error **err) {
  lk_connect_request request = connect_request(step);
  lk_connect *connect = NULL;
  lk_status status = lk_client_connect_params(client, &request, &connect, err);
  if (status != LK_OK) return status;
  lk_connect_info info = {.struct_size = sizeof info};
  lk_connect_get(connect, &info);
  if (strcmp(step->op, "login") == 0) tell_login(&info, text_of(step, "password"));
  else tell_params(&info);
  lk_connect_free(connect);
  return LK_OK;
}

static void *asks(void *into) {
  lk_secret *token = NULL;
  if (lk_client_token(client, NULL, &token, NULL) != LK_OK) stop("a call of the storm failed");
  *(lk_secret **)into = token;
  return NULL;
}

static lk_status storm(size_t count) {
  static pthread_t threads[MOST_THREADS];
  static lk_secret *tokens[MOST_THREADS];
  if (count > MOST_THREADS) stop("too large a storm");
  for (size_t at = 0; at < count; at += 1) {
    if (pthread_create(&threads[at], NULL, asks, &tokens[at])) stop("no thread");
  }
  size_t distinct = 0;
  for (size_t at = 0; at < count; at += 1) {
    pthread_join(threads[at], NULL);
    const char *mine = NULL, *other = NULL;
    lk_secret_get(tokens[at], &mine, NULL);
    int seen = 0;
    for (size_t before = 0; before < at && !seen; before += 1) {
      lk_secret_get(tokens[before], &other, NULL);
      seen = strcmp(mine, other) == 0;
    }
    distinct += !seen;
  }
  for (size_t at = 0; at < count; at += 1) lk_secret_free(tokens[at]);
  printf("{\"distinct\":%zu}\n", distinct);
  return LK_OK;
}

static lk_status explain(const struct step *step, lk_error **err) {
  lk_explanation *explanation = NULL;
  lk_status status = lk_explain(text_of(step, "sqlstate"), LK_NUL_TERMINATED, text_of(step, "text"), LK_NUL_TERMINATED,
                                &explanation, err);
  if (status != LK_OK) return status;
  lk_explanation_info info = {.struct_size = sizeof info};
  lk_explanation_get(explanation, &info);
  json_field("{", "class", info.kind);
  json_field(",", "hint", info.hint);
  printf(",\"retry\":%s,\"invalidate\":%s}\n", info.retry ? "true" : "false", info.invalidate ? "true" : "false");
  lk_explanation_free(explanation);
  return LK_OK;
}

// The answer of the management API, as it is.
static lk_status called(const struct step *step, lk_error **err) {
  const char *text = NULL;
  lk_secret *answer = NULL, *ended = NULL;
  lk_wait_options options = {.struct_size = sizeof options};
  options.timeout_ms = number_of(step, "wait_ms");
  lk_status status = lk_call(client, text_of(step, "method"), LK_NUL_TERMINATED, text_of(step, "arguments"),
                             LK_NUL_TERMINATED, &options, &answer, err);
  if (status != LK_OK) return status;
  if (options.timeout_ms) {
    lk_secret_get(answer, &text, NULL);
    status = lk_wait_operation(client, text, LK_NUL_TERMINATED, &options, &ended, err);
  }
  if (status == LK_OK) {
    lk_secret_get(ended ? ended : answer, &text, NULL);
    puts(text);
  }
  lk_secret_free(ended);
  lk_secret_free(answer);
  return status;
}

static lk_status perform(const struct step *step, lk_error **err) {
  const char *op = step->op;
  lk_secret *secret = NULL;
  lk_status status = LK_OK;
  if (strcmp(op, "explain") == 0) {
    status = explain(step, err);
  } else if (strcmp(op, "client") == 0) {
    status = make_client(step, err);
    if (status == LK_OK) printf("{}\n");
  } else if (!client && (status = lk_client_new(NULL, &client, err)) != LK_OK) {
    return status;
  } else if (strcmp(op, "token") == 0) {
    lk_credential_request request = credential_request(step);
    status = lk_client_token(client, &request, &secret, err);
    if (status == LK_OK) tell_secret("token", secret);
  } else if (strcmp(op, "credential") == 0) {
    status = credential(step, err);
  } else if (strcmp(op, "connect_params") == 0 || strcmp(op, "login") == 0) {
    status = connected(step, err);
  } else if (strcmp(op, "conninfo") == 0) {
    lk_connect_request request = connect_request(step);
    status = lk_client_conninfo(client, &request, &secret, err);
    if (status == LK_OK) tell_secret("conninfo", secret);
  } else if (strcmp(op, "invalidate") == 0) {
    uint32_t fresh = 0;
    status = lk_client_invalidate(client, text_of(step, "token"), LK_NUL_TERMINATED, &fresh, err);
    if (status == LK_OK) printf("{\"fresh\":%s}\n", fresh ? "true" : "false");
  } else if (strcmp(op, "storm") == 0) {
    status = storm((size_t)number_of(step, "count"));
  } else if (strcmp(op, "call") == 0) {
    status = called(step, err);
  } else if (strcmp(op, "close") == 0) {
    status = lk_client_close(client);
    if (status == LK_OK) printf("{}\n");
  } else {
    stop("an op that is unknown");
  }
  return status;
}

int main(void) {
  struct step step;
  while (next(&step)) {
    lk_error *err = NULL;
    if (perform(&step, &err) != LK_OK) fail(err);
    fflush(stdout);
    for (size_t at = 0; at < step.count; at += 1) free(step.arguments[at].name);
    free(step.op);
  }
  lk_client_free(client);
  return 0;
}
