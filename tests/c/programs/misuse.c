// What a program does wrong gets a code and never a crash: NULL, things freed twice, used afterwards or of another type,
// texts that are none, structs of another age. What fails leaves its results alone.

#include "check.h"

static lk_client *a_client(void) {
  lk_error *err = NULL;
  lk_client *client = NULL;
  GOOD(err, lk_client_new(NULL, &client, &err));
  CHECK(client && !err);
  return client;
}

static void null_and_freed(void) {
  lk_client *client = a_client();
  lk_secret *const before = (lk_secret *)&client;
  lk_secret *out = before;
  lk_error *err = NULL;

  GIVES(LK_HANDLE_INVALID, lk_client_token(NULL, NULL, &out, &err));
  CHECK(out == before);
  holds(lk_error_text(err), "HANDLE_INVALID: argument `client`: the lk_client is NULL");
  GIVES(LK_OK, lk_error_free(err));
  GIVES(LK_HANDLE_INVALID, lk_error_free(err));
  holds(lk_error_text(err), "HANDLE_INVALID");
  holds(lk_error_text(NULL), "HANDLE_INVALID");

  err = NULL;
  GIVES(LK_CONFIG_INVALID, lk_client_token(client, NULL, NULL, &err));
  holds(lk_error_text(err), "argument `out`");
  GIVES(LK_OK, lk_error_free(err));
  GIVES(LK_CONFIG_INVALID, lk_client_token(client, NULL, NULL, NULL));

  GIVES(LK_OK, lk_client_close(client));
  GIVES(LK_OK, lk_client_close(client));
  GIVES(LK_CLOSED, lk_client_token(client, NULL, &out, NULL));
  GIVES(LK_OK, lk_client_free(client));
  GIVES(LK_HANDLE_INVALID, lk_client_free(client));
  GIVES(LK_HANDLE_INVALID, lk_client_close(client));
  GIVES(LK_HANDLE_INVALID, lk_client_prepare(client, NULL, NULL));
  GIVES(LK_HANDLE_INVALID, lk_client_invalidate(client, "x", 1, NULL, NULL));
  CHECK(out == before);

  GIVES(LK_OK, lk_client_free(NULL));
  GIVES(LK_OK, lk_secret_free(NULL));
  GIVES(LK_OK, lk_error_free(NULL));
  GIVES(LK_OK, lk_cancel_free(NULL));
  GIVES(LK_OK, lk_connect_free(NULL));
  GIVES(LK_OK, lk_credential_free(NULL));
}

// A freed place is used again by the next thing; the old handle still is none.
static void freed_and_reused(void) {
  lk_client *first = a_client();
  GIVES(LK_OK, lk_client_free(first));
  lk_client *second = a_client();
  CHECK(first != second);
  GIVES(LK_HANDLE_INVALID, lk_client_close(first));
  GIVES(LK_OK, lk_client_free(second));
}

static void of_another_type(void) {
  lk_client *client = a_client();
  lk_cancel *cancel = NULL;
  GIVES(LK_OK, lk_cancel_new(&cancel, NULL));
  const char *data = "untouched";
  size_t len = 7;
  long local = 0;

  GIVES(LK_HANDLE_INVALID, lk_secret_get((const lk_secret *)client, &data, &len));
  GIVES(LK_HANDLE_INVALID, lk_secret_free((lk_secret *)client));
  GIVES(LK_HANDLE_INVALID, lk_error_free((lk_error *)cancel));
  GIVES(LK_HANDLE_INVALID, lk_client_close((const lk_client *)cancel));
  GIVES(LK_HANDLE_INVALID, lk_token_answer_set((lk_token_answer *)client, "t", 1, 0));
  // Pointers to somewhere.
  GIVES(LK_HANDLE_INVALID, lk_client_close((const lk_client *)&local));
  GIVES(LK_HANDLE_INVALID, lk_client_close((const lk_client *)(uintptr_t)1));
  GIVES(LK_HANDLE_INVALID, lk_client_close((const lk_client *)UINTPTR_MAX));
  for (uintptr_t off = 1; off < 4096; off += 1) {
    GIVES(LK_HANDLE_INVALID, lk_cancel_now((const lk_cancel *)((uintptr_t)cancel + off)));
  }
  CHECK(strcmp(data, "untouched") == 0 && len == 7);

  lk_error *err = NULL;
  lk_credential_request request;
  BLANK(request);
  request.cancel = (const lk_cancel *)client;
  lk_secret *out = NULL;
  GIVES(LK_HANDLE_INVALID, lk_client_token(client, &request, &out, &err));
  holds(lk_error_text(err), "argument `cancel`: the lk_cancel is a handle of another type");
  GIVES(LK_OK, lk_error_free(err));
  GIVES(LK_OK, lk_cancel_free(cancel));
  GIVES(LK_OK, lk_client_free(client));
}

static lk_status with_target(const char *target, size_t len, lk_error **err) {
  lk_client_options options;
  BLANK(options);
  options.target = target;
  options.target_len = len;
  lk_client *client = NULL;
  lk_status status = lk_client_new(&options, &client, err);
  CHECK((status == LK_OK) == (client != NULL));
  GIVES(LK_OK, lk_client_free(client));
  return status;
}

static void texts(void) {
  lk_error *err = NULL;
  GIVES(LK_OK, with_target(NULL, 0, &err));
  GIVES(LK_OK, with_target(NULL, LK_NUL_TERMINATED, &err));
  GIVES(LK_OK, with_target("projects/shop", LK_NUL_TERMINATED, &err));
  GIVES(LK_OK, with_target("projects/shop and what is behind it", 13, &err));
  CHECK(!err);
  GIVES(LK_CONFIG_INVALID, with_target(NULL, 3, &err));
  holds(lk_error_text(err), "argument `target`: is NULL and 3 bytes long");
  GIVES(LK_OK, lk_error_free(err));
  GIVES(LK_CONFIG_INVALID, with_target("ab\xff\xfe", 4, &err));
  holds(lk_error_text(err), "argument `target`: is no UTF-8: the byte at 2");
  GIVES(LK_OK, lk_error_free(err));
  GIVES(LK_CONFIG_INVALID, with_target("a", SIZE_MAX / 2 + 1, &err));
  GIVES(LK_OK, lk_error_free(err));

  lk_setting settings[] = {{"hots", 4, "https://a.test", 14}};
  lk_client_options options;
  BLANK(options);
  options.settings = settings;
  options.settings_count = 1;
  lk_client *client = a_client();
  lk_client *const before = client;
  lk_status status = lk_client_new(&options, &client, &err);
  CHECK(status == LK_CONFIG_INVALID && client == before);
  holds(lk_error_text(err), "hots");
  GIVES(LK_OK, lk_error_free(err));
  GIVES(LK_OK, lk_client_free(client));
}

// A program of another age: its struct is shorter, or longer, than the library's.
static void sizes(void) {
  lk_error *err = NULL;
  lk_client *client = NULL;
  struct {
    lk_client_options known;
    unsigned char later[16];
  } options;
  memset(&options, 0, sizeof options);

  options.known.struct_size = offsetof(lk_client_options, product);
  options.known.product = (const char *)(uintptr_t)8;
  GOOD(err, lk_client_new(&options.known, &client, &err));
  GIVES(LK_OK, lk_client_free(client));
  options.known.product = NULL;
  options.known.struct_size = sizeof options;
  GOOD(err, lk_client_new(&options.known, &client, &err));
  GIVES(LK_OK, lk_client_free(client));
  options.later[15] = 1;
  GIVES(LK_CONFIG_INVALID, lk_client_new(&options.known, &client, &err));
  holds(lk_error_text(err), "newer lakekey");
  GIVES(LK_OK, lk_error_free(err));
  for (size_t size = 0; size < sizeof(size_t); size += 1) {
    options.known.struct_size = size;
    GIVES(LK_CONFIG_INVALID, lk_client_new(&options.known, &client, NULL));
  }
  options.known.struct_size = SIZE_MAX;
  GIVES(LK_CONFIG_INVALID, lk_client_new(&options.known, &client, &err));
  holds(lk_error_text(err), "sizeof(lk_client_options)");

  struct {
    lk_error_info known;
    unsigned char later[16];
  } info;
  memset(&info, 0xaa, sizeof info);
  info.known.struct_size = offsetof(lk_error_info, message);
  GIVES(LK_OK, lk_error_get(err, &info.known));
  same(info.known.slug, "CONFIG_INVALID");
  CHECK(info.known.code == LK_CONFIG_INVALID && info.known.retryable == 0 && info.known.http_status == 0);
  CHECK((uintptr_t)info.known.message == UINTPTR_MAX / 255 * 0xaa);
  info.known.struct_size = sizeof info;
  GIVES(LK_OK, lk_error_get(err, &info.known));
  CHECK(info.known.struct_size == sizeof info && info.later[0] == 0 && info.later[15] == 0);
  CHECK(info.known.message && info.known.hint == NULL && info.known.request_id == NULL);
  GIVES(LK_CONFIG_INVALID, lk_error_get(err, NULL));
  info.known.struct_size = 3;
  GIVES(LK_CONFIG_INVALID, lk_error_get(err, &info.known));
  GIVES(LK_OK, lk_error_free(err));
  GIVES(LK_HANDLE_INVALID, lk_error_get(err, &info.known));
}

static void logs(void) {
  lk_error *err = NULL;
  GIVES(LK_CONFIG_INVALID, lk_log_sink(9, NULL, NULL, &err));
  holds(lk_error_text(err), "argument `level`");
  GIVES(LK_OK, lk_error_free(err));
  GIVES(LK_OK, lk_log_sink(LK_LOG_DEBUG, NULL, NULL, NULL));
  GIVES(LK_OK, lk_log_flush());
}

int main(void) {
  CHECK(lk_check());
  CHECK(lk_abi_version() == LK_ABI_VERSION);
  holds(lk_version(), ".");
  null_and_freed();
  freed_and_reused();
  of_another_type();
  texts();
  sizes();
  logs();
  puts("ok");
  return 0;
}
