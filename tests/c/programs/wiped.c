// A secret is gone from memory when it is freed: this program stands between the library and the allocator, and looks
// at each block that holds a secret at the moment when it is given back.

#define _GNU_SOURCE

#include <malloc.h>

#include "check.h"

extern void __libc_free(void *block);

static const char *watched;
static size_t watched_len;
static int seen, dirty;

void free(void *block) {
  if (watched && block == (const void *)watched) {
    seen += 1;
    for (size_t at = 0; at < watched_len; at += 1) dirty += watched[at] != 0;
    watched = NULL;
  }
  __libc_free(block);
}

static void watch(const char *text, size_t len) {
  CHECK(text && len > 20);
  seen = dirty = 0;
  watched_len = len;
  watched = text;
}

int main(void) {
  lk_error *err = NULL;
  lk_client *client = NULL;
  GOOD(err, lk_client_new(NULL, &client, &err));
  lk_credential *credential = NULL;
  GOOD(err, lk_client_credential(client, NULL, &credential, &err));
  lk_secret *token = NULL;
  GIVES(LK_OK, lk_credential_token(credential, &token));
  const char *text = NULL;
  size_t len = 0;
  GIVES(LK_OK, lk_secret_get(token, &text, &len));
  watch(text, len);
  GIVES(LK_OK, lk_secret_free(token));
  CHECK(seen == 1 && dirty == 0);

  lk_connect *connect = NULL;
  GOOD(err, lk_client_connect_params(client, NULL, &connect, &err));
  lk_connect_info info;
  BLANK(info);
  GIVES(LK_OK, lk_connect_get(connect, &info));
  lk_secret *conninfo = NULL;
  GIVES(LK_OK, lk_connect_conninfo(connect, &conninfo));
  GIVES(LK_OK, lk_secret_get(conninfo, &text, &len));
  watch(info.password, strlen(info.password));
  GIVES(LK_OK, lk_connect_free(connect));
  CHECK(seen == 1 && dirty == 0);
  // The connection string was shared, and goes with its last owner.
  watch(text, len);
  CHECK(seen == 0);
  GIVES(LK_OK, lk_secret_free(conninfo));
  CHECK(seen == 1 && dirty == 0);

  // The watch itself works: a block that nobody wipes is seen to be dirty.
  char *plain = (char *)malloc(64);
  memset(plain, 'x', 64);
  watch(plain, 64);
  free(plain);
  CHECK(seen == 1 && dirty == 64);

  GIVES(LK_OK, lk_credential_free(credential));
  GIVES(LK_OK, lk_client_free(client));
  puts("ok");
  return 0;
}
