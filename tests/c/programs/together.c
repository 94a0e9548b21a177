// Threads: many ask at once and get one token, and a client is freed while others use it.

#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdatomic.h>

#include "check.h"

enum { THREADS = 16, ROUNDS = 300 };

static _Atomic(lk_client *) shared;
static atomic_int over;

static void *asks(void *into) {
  lk_secret *token = NULL;
  GIVES(LK_OK, lk_client_token(atomic_load(&shared), NULL, &token, NULL));
  *(lk_secret **)into = token;
  return NULL;
}

static void one_token_for_all(void) {
  pthread_t threads[THREADS];
  lk_secret *tokens[THREADS];
  for (int at = 0; at < THREADS; at += 1) CHECK(pthread_create(&threads[at], NULL, asks, &tokens[at]) == 0);
  const char *first = NULL;
  for (int at = 0; at < THREADS; at += 1) {
    CHECK(pthread_join(threads[at], NULL) == 0);
    const char *text = NULL;
    GIVES(LK_OK, lk_secret_get(tokens[at], &text, NULL));
    if (!first) first = text;
    same(text, first);
  }
  for (int at = 0; at < THREADS; at += 1) GIVES(LK_OK, lk_secret_free(tokens[at]));
}

// Uses whatever client is there; it may have been freed meanwhile.
static void *uses(void *none) {
  while (!atomic_load(&over)) {
    lk_client *client = atomic_load(&shared);
    lk_secret *token = NULL;
    lk_error *err = NULL;
    lk_status status = lk_client_token(client, NULL, &token, &err);
    CHECK(status == LK_OK || status == LK_HANDLE_INVALID || status == LK_CLOSED);
    CHECK((status == LK_OK) == (token != NULL) && (status == LK_OK) == (err == NULL));
    GIVES(LK_OK, lk_secret_free(token));
    GIVES(LK_OK, lk_error_free(err));
  }
  return none;
}

static void freed_in_use(void) {
  pthread_t threads[THREADS];
  for (int at = 0; at < THREADS; at += 1) CHECK(pthread_create(&threads[at], NULL, uses, NULL) == 0);
  for (int round = 0; round < ROUNDS; round += 1) {
    lk_client *next = NULL;
    GIVES(LK_OK, lk_client_new(NULL, &next, NULL));
    lk_client *before = atomic_exchange(&shared, next);
    if (round % 2) GIVES(LK_OK, lk_client_close(before));
    GIVES(LK_OK, lk_client_free(before));
  }
  atomic_store(&over, 1);
  for (int at = 0; at < THREADS; at += 1) CHECK(pthread_join(threads[at], NULL) == 0);
}

int main(void) {
  lk_client *client = NULL;
  GIVES(LK_OK, lk_client_new(NULL, &client, NULL));
  atomic_store(&shared, client);
  one_token_for_all();
  freed_in_use();
  GIVES(LK_OK, lk_client_free(atomic_load(&shared)));
  puts("ok");
  return 0;
}
