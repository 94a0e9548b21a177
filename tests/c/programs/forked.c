// Children: one that was forked while other threads were inside the library goes on with what it inherited, and gets what
// is new by threads and connections of its own.

#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { THREADS = 8 };

static atomic_int over;

static void *uses(void *client) {
  while (!atomic_load(&over)) {
    lk_secret *token = NULL;
    GIVES(LK_OK, lk_client_token((lk_client *)client, NULL, &token, NULL));
    GIVES(LK_OK, lk_secret_free(token));
  }
  return NULL;
}

static void child(const lk_client *client, const char *inherited) {
  lk_secret *token = NULL;
  lk_error *err = NULL;
  GOOD(err, lk_client_token(client, NULL, &token, &err));
  const char *text = NULL;
  GIVES(LK_OK, lk_secret_get(token, &text, NULL));
  same(text, inherited);
  // One that is not there needs threads and connections, which the parent kept.
  uint32_t fresh = 0;
  GOOD(err, lk_client_invalidate(client, text, LK_NUL_TERMINATED, &fresh, &err));
  lk_secret *other = NULL;
  GOOD(err, lk_client_token(client, NULL, &other, &err));
  const char *minted = NULL;
  GIVES(LK_OK, lk_secret_get(other, &minted, NULL));
  CHECK(strcmp(minted, text) != 0);
  GIVES(LK_OK, lk_secret_free(other));
  GIVES(LK_OK, lk_secret_free(token));
  _exit(0);
}

// Forks while all the others are inside the library.
static void forked_in_use(lk_client *client) {
  pthread_t threads[THREADS];
  lk_secret *token = NULL;
  GIVES(LK_OK, lk_client_token(client, NULL, &token, NULL));
  const char *text = NULL;
  GIVES(LK_OK, lk_secret_get(token, &text, NULL));
  for (int at = 0; at < THREADS; at += 1) CHECK(pthread_create(&threads[at], NULL, uses, client) == 0);
  for (int round = 0; round < 8; round += 1) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) child(client, text);
    int status = 0, ended = 0;
    for (int wait = 0; wait < 3000 && !ended; wait += 1) {
      ended = waitpid(pid, &status, WNOHANG) == pid;
      if (!ended) rest_ms(10);
    }
    if (!ended) kill(pid, 9);
    CHECK(ended && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  atomic_store(&over, 1);
  for (int at = 0; at < THREADS; at += 1) CHECK(pthread_join(threads[at], NULL) == 0);
  GIVES(LK_OK, lk_secret_free(token));
}

int main(void) {
  lk_client *client = NULL;
  GIVES(LK_OK, lk_client_new(NULL, &client, NULL));
  forked_in_use(client);
  GIVES(LK_OK, lk_client_free(client));
  puts("ok");
  return 0;
}
