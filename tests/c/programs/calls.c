// Calls of the management API, as they are asked for: a line with the method, one with `wait`, `until told` or `no`, one
// with the arguments. Each is answered by a line: the JSON, or `!`, slug, the service's own code and the whole text with tabs between.

#define _POSIX_C_SOURCE 200809L

#include "check.h"

// A line without its end; NULL at the end of the input.
static char *line(void) {
  char *text = NULL;
  size_t room = 0;
  ssize_t len = getline(&text, &room, stdin);
  if (len <= 0) {
    free(text);
    return NULL;
  }
  text[len - 1] = '\0';
  return text;
}

static void tell_error(lk_error *err) {
  lk_error_info info;
  BLANK(info);
  GIVES(LK_OK, lk_error_get(err, &info));
  printf("!%s\t%s\t%s\n", info.slug, info.api_code ? info.api_code : "", lk_error_text(err));
  lk_error_free(err);
}

static const char *text_of(const lk_secret *secret) {
  const char *text = NULL;
  GIVES(LK_OK, lk_secret_get(secret, &text, NULL));
  return text;
}

// Ends the wait when it is told for the second time.
static int32_t hears(void *data, const char *json, size_t len) {
  static const char begin[] = "{\"metadata\":";
  int *told = data;
  CHECK(len > sizeof begin && memcmp(json, begin, sizeof begin - 1) == 0 && json[len - 1] == '}');
  *told += 1;
  return *told == 2;
}

int main(void) {
  lk_error *err = NULL;
  lk_client *client = NULL;
  GOOD(err, lk_client_new(NULL, &client, &err));
  lk_wait_options patient;
  BLANK(patient);
  patient.timeout_ms = 60000;
  for (char *method = line(); method; method = line()) {
    char *wait = line(), *arguments = line();
    CHECK(wait && arguments);
    lk_secret *answer = NULL, *ended = NULL;
    err = NULL;
    lk_status status =
        lk_call(client, method, LK_NUL_TERMINATED, arguments, LK_NUL_TERMINATED, &patient, &answer, &err);
    if (status == LK_OK && strcmp(wait, "no") != 0) {
      int told = 0;
      patient.progress = strcmp(wait, "wait") == 0 ? NULL : hears;
      patient.progress_data = &told;
      status = lk_wait_operation(client, text_of(answer), LK_NUL_TERMINATED, &patient, &ended, &err);
      CHECK(told == (patient.progress ? 2 : 0));
    }
    if (status == LK_OK) puts(text_of(ended ? ended : answer));
    else tell_error(err);
    fflush(stdout);
    GIVES(LK_OK, lk_secret_free(ended));
    GIVES(LK_OK, lk_secret_free(answer));
    free(method);
    free(wait);
    free(arguments);
  }
  GIVES(LK_OK, lk_client_free(client));
  return 0;
}
