// Memory stays flat: over ten thousand clients that are made and freed, and over a hundred thousand tokens, credentials,
// logins and errors.

#define _DEFAULT_SOURCE

#include <malloc.h>
#include <unistd.h>

#include "check.h"

static const long CLIENTS = 10000, TOKENS = 100000, LOGINS = 2000, ROUNDS = 5;

// What the process holds, in bytes.
static long resident(void) {
  malloc_trim(0);
  FILE *file = fopen("/proc/self/statm", "r");
  long pages = 0, all = 0;
  CHECK(file && fscanf(file, "%ld %ld", &all, &pages) == 2);
  fclose(file);
  return pages * sysconf(_SC_PAGESIZE);
}

static void clients(long count) {
  for (long at = 0; at < count; at += 1) {
    lk_client *client = NULL;
    GIVES(LK_OK, lk_client_new(NULL, &client, NULL));
    // One in a hundred is used, so that it has a workspace and routes to forget.
    if (at % 100 == 0) {
      lk_secret *token = NULL;
      GIVES(LK_OK, lk_client_token(client, NULL, &token, NULL));
      GIVES(LK_OK, lk_secret_free(token));
    }
    GIVES(LK_OK, lk_client_free(client));
  }
}

static void tokens(const lk_client *client, long count) {
  for (long at = 0; at < count; at += 1) {
    lk_secret *token = NULL;
    GIVES(LK_OK, lk_client_token(client, NULL, &token, NULL));
    GIVES(LK_OK, lk_secret_free(token));
  }
}

static void logins(const lk_client *client, long count) {
  for (long at = 0; at < count; at += 1) {
    lk_connect *connect = NULL;
    lk_credential *credential = NULL;
    lk_error *err = NULL;
    GIVES(LK_OK, lk_client_connect_params(client, NULL, &connect, NULL));
    GIVES(LK_OK, lk_client_credential(client, NULL, &credential, NULL));
    GIVES(LK_CONFIG_INVALID, lk_client_token(client, NULL, NULL, &err));
    GIVES(LK_OK, lk_connect_free(connect));
    GIVES(LK_OK, lk_credential_free(credential));
    GIVES(LK_OK, lk_error_free(err));
  }
}

// Whether the last rounds take more memory than the first one left.
static void flat(const char *what, long before) {
  long grown = resident() - before;
  printf("%s: %ld kB\n", what, grown / 1024);
  CHECK(grown < 4 * 1024 * 1024);
}

int main(void) {
  lk_client *client = NULL;
  GIVES(LK_OK, lk_client_new(NULL, &client, NULL));
  clients(CLIENTS / ROUNDS);
  tokens(client, TOKENS / ROUNDS);
  logins(client, LOGINS / ROUNDS);
  long before = resident();
  clients(CLIENTS);
  flat("clients", before);
  before = resident();
  tokens(client, TOKENS);
  flat("tokens", before);
  before = resident();
  logins(client, LOGINS);
  flat("logins and errors", before);
  GIVES(LK_OK, lk_client_free(client));
  puts("ok");
  return 0;
}
