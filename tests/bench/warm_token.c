// A token that is in the cache, as C programs read it: asked for, looked at and freed. Prints a row as the other bench
// scripts do.

#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <lakekey.h>

enum { MOST_ROUNDS = 101, CALLS = 500000 };

static double now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void stop(lk_error *err) {
  fprintf(stderr, "%s\n", lk_error_text(err));
  exit(1);
}

static double token_ns(const lk_client *client) {
  double begun = now_ns();
  for (int call = 0; call < CALLS; call += 1) {
    lk_error *err = NULL;
    lk_secret *token = NULL;
    const char *text = NULL;
    if (lk_client_token(client, NULL, &token, &err)) stop(err);
    lk_secret_get(token, &text, NULL);
    if (!text[0]) stop(NULL);
    lk_secret_free(token);
  }
  return (now_ns() - begun) / CALLS;
}

// The call alone: what it gives is looked at and freed afterwards.
static double call_ns(const lk_client *client) {
  static lk_secret *tokens[CALLS];
  double begun = now_ns();
  for (int call = 0; call < CALLS; call += 1) {
    lk_error *err = NULL;
    if (lk_client_token(client, NULL, &tokens[call], &err)) stop(err);
  }
  double took = now_ns() - begun;
  for (int call = 0; call < CALLS; call += 1) lk_secret_free(tokens[call]);
  return took / CALLS;
}

static double clock_ns(void) {
  double begun = now_ns(), last = 0;
  for (int call = 0; call < CALLS; call += 1) last = now_ns();
  return last >= begun ? (last - begun) / CALLS : 1;
}

static int compare(const void *one, const void *other) {
  double a = *(const double *)one, b = *(const double *)other;
  return (a > b) - (a < b);
}

static double median(double *figures, int count) {
  qsort(figures, (size_t)count, sizeof *figures, compare);
  return figures[count / 2];
}

int main(void) {
  const char *wanted = getenv("LAKEKEY_BENCH_ROUNDS");
  int rounds = wanted ? atoi(wanted) : 15;
  if (rounds < 1 || rounds > MOST_ROUNDS) rounds = 15;
  lk_error *err = NULL;
  lk_client *client = NULL;
  lk_secret *first = NULL;
  if (lk_client_new(NULL, &client, &err) || lk_client_token(client, NULL, &first, &err)) stop(err);
  double tokens[MOST_ROUNDS], calls[MOST_ROUNDS], clocks[MOST_ROUNDS];
  for (int round = 0; round < rounds; round += 1) {
    tokens[round] = token_ns(client);
    calls[round] = call_ns(client);
    clocks[round] = clock_ns();
  }
  double clock = median(clocks, rounds);
  const char *form = "{\"what\": \"%s\", \"unit\": \"ns\", \"ours\": %.2f, \"peer\": \"reading the clock\", \"theirs\": %.2f,"
                     " \"target\": {\"ours\": 60}}\n";
  printf(form, "warm lk_client_token() in C", median(calls, rounds), clock);
  printf(form, "warm token in C, asked for, looked at and freed", median(tokens, rounds), clock);
  lk_secret_free(first);
  lk_client_free(client);
  return 0;
}
