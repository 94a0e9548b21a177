// The app that demo and soak watch: threads, each with a connection of its own by lk_libpq_connect.
//
// It is an ordinary program but for two things: its threads connect anew after a second, so that many logins happen, and
// it tells every half second how it goes, one JSON object a line, and each failure when it happens. Commands come on stdin:
// `pause` (let every connection go, and wait for the next token), `resume`, `stop`. With `APP_ROWS` in the environment it
// writes its numbers as rows under that name instead of asking for them back: each number once, whatever becomes of it, so
// that afterwards the table can be compared with what the program was told.

#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lakekey_libpq.h>

enum { MOST_WORKERS = 6, RECYCLE_MS = 800, MOST_TOKENS = 4096 };

static lk_client *client;
static atomic_int running = 1, ended;
static atomic_ulong attempts, logins, failed_logins, queries, failed_queries, connections;
static char statement[160] = "select $1::int, current_user";
static int workers = MOST_WORKERS;
static long rest = 10;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
// What tokens are known by; a text of a token is kept nowhere.
static uint64_t tokens[MOST_TOKENS];
static size_t token_count;

static void rest_ms(long ms) { nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL); }

static long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint64_t print_of(const char *token) {
  uint64_t print = 14695981039346656037u;
  for (; *token; token += 1) print = (print ^ (unsigned char)*token) * 1099511628211u;
  return print;
}

static void saw(const char *token) {
  uint64_t print = print_of(token);
  pthread_mutex_lock(&lock);
  size_t at = 0;
  while (at < token_count && tokens[at] != print) at += 1;
  if (at == token_count && token_count < MOST_TOKENS) tokens[token_count++] = print;
  pthread_mutex_unlock(&lock);
}

static void say(const char *form, ...) {
  va_list values;
  pthread_mutex_lock(&lock);
  va_start(values, form);
  vprintf(form, values);
  va_end(values);
  fflush(stdout);
  pthread_mutex_unlock(&lock);
}

static void figures(const char *more) {
  pthread_mutex_lock(&lock);
  size_t seen = token_count;
  pthread_mutex_unlock(&lock);
  say("{\"attempts\": %lu, \"logins\": %lu, \"failed_logins\": %lu, \"queries\": %lu, \"failed_queries\": %lu, \"connections\": %lu,"
      " \"tokens\": %zu%s}\n",
      atomic_load(&attempts), atomic_load(&logins), atomic_load(&failed_logins), atomic_load(&queries),
      atomic_load(&failed_queries), atomic_load(&connections), seen, more);
}

static void failed(const char *what, unsigned long number, int no_login, long began) {
  say("{\"failure\": \"%s; why is on stderr\", \"number\": %lu, \"login\": %s, \"waited_s\": %.3f}\n", what, number,
      no_login ? "true" : "false", (double)(now_ms() - began) / 1000);
}

// Queries until the connection is old or broken, or everybody goes quiet.
static void use(PGconn *conn) {
  long begun = now_ms();
  while (atomic_load(&running) && !atomic_load(&ended) && now_ms() - begun < RECYCLE_MS && PQstatus(conn) == CONNECTION_OK) {
    unsigned long number = atomic_fetch_add(&attempts, 1) + 1;
    long asked = now_ms();
    char text[24];
    snprintf(text, sizeof text, "%lu", number);
    const char *value = text;
    PGresult *result = PQexecParams(conn, statement, 1, NULL, &value, NULL, NULL, 0);
    if (PQresultStatus(result) == PGRES_TUPLES_OK && strcmp(PQgetvalue(result, 0, 0), text) == 0) {
      atomic_fetch_add(&queries, 1);
    } else {
      atomic_fetch_add(&failed_queries, 1);
      failed("a query failed", number, 0, asked);
      fprintf(stderr, "%s", PQerrorMessage(conn));
    }
    PQclear(result);
    rest_ms(rest);
  }
}

static void *work(void *none) {
  while (!atomic_load(&ended)) {
    if (!atomic_load(&running)) {
      rest_ms(50);
      continue;
    }
    long began = now_ms();
    PGconn *conn = NULL;
    lk_error *err = NULL;
    if (lk_libpq_connect(client, NULL, &conn, &err) != LK_OK) {
      atomic_fetch_add(&failed_logins, 1);
      failed("a login failed", 0, 1, began);
      fprintf(stderr, "%s\n", lk_error_text(err));
      lk_error_free(err);
      rest_ms(100);
      continue;
    }
    atomic_fetch_add(&connections, 1);
    atomic_fetch_add(&logins, 1);
    saw(PQpass(conn));
    use(conn);
    PQfinish(conn);
    atomic_fetch_sub(&connections, 1);
  }
  return none;
}

static void *tell(void *none) {
  for (; !atomic_load(&ended); rest_ms(500)) figures("");
  return none;
}

// The present token, noted; ends the program if there is none.
static uint64_t present(void) {
  lk_error *err = NULL;
  lk_secret *token = NULL;
  const char *text = NULL;
  if (lk_client_token(client, NULL, &token, &err) != LK_OK) {
    fprintf(stderr, "%s\n", lk_error_text(err));
    exit(1);
  }
  lk_secret_get(token, &text, NULL);
  saw(text);
  uint64_t print = print_of(text);
  lk_secret_free(token);
  return print;
}

// Waits for the next token. Right after a rotation none is due, so that a quiet app leaves no token behind that nobody
// saw, and what the emulator minted and what this app saw can be compared.
static void settle(void) {
  uint64_t last = present();
  long deadline = now_ms() + 60000;
  while (present() == last) {
    if (now_ms() > deadline) {
      fprintf(stderr, "the token did not rotate within a minute\n");
      exit(1);
    }
    rest_ms(20);
  }
}

int main(void) {
  lk_error *err = NULL;
  if (!lk_check() || lk_client_new(NULL, &client, &err) != LK_OK) {
    fprintf(stderr, "%s\n", lk_error_text(err));
    return 1;
  }
  const char *rows = getenv("APP_ROWS");
  if (rows) {
    workers = 3;
    rest = 30;
    snprintf(statement, sizeof statement,
             "insert into soak.row (app, number) values ('%.32s', $1) returning number, current_user", rows);
  }
  pthread_t threads[MOST_WORKERS], teller;
  for (int at = 0; at < workers; at += 1) {
    if (pthread_create(&threads[at], NULL, work, NULL)) return 1;
  }
  if (pthread_create(&teller, NULL, tell, NULL)) return 1;
  char command[16];
  while (fgets(command, sizeof command, stdin) && strcmp(command, "stop\n") != 0) {
    atomic_store(&running, strcmp(command, "resume\n") == 0);
    if (!atomic_load(&running)) settle();
  }
  atomic_store(&ended, 1);
  for (int at = 0; at < workers; at += 1) pthread_join(threads[at], NULL);
  pthread_join(teller, NULL);
  char more[96];
  int version = PQlibVersion();
  snprintf(more, sizeof more, ", \"done\": true, \"driver\": \"libpq %d.%d from C\"", version / 10000, version % 10000);
  figures(more);
  lk_client_free(client);
  return 0;
}
