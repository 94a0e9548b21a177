// Notes in Lakebase, from the command line: a login that survives rotations, a migration, a few queries, a clean end.
//
// Where the database is and who you are comes from the environment. Nothing here knows of tokens.

#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lakekey_libpq.h>

// A connection; NULL if there is none, and why is then on stderr, with what to do about it.
static PGconn *login(const lk_client *client) {
  PGconn *conn = NULL;
  lk_error *err = NULL;
  if (lk_libpq_connect(client, NULL, &conn, &err) != LK_OK) {
    fprintf(stderr, "%s\n", lk_error_text(err));
    lk_error_free(err);
  }
  return conn;
}

static const char *const MIGRATIONS[] = {
    "CREATE TABLE notes.note ("
    "  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    "  text text NOT NULL CHECK (text <> ''),"
    "  written timestamptz NOT NULL DEFAULT now())",
    "ALTER TABLE notes.note ADD COLUMN done timestamptz",
    "CREATE INDEX note_open ON notes.note (written) WHERE done IS NULL",
};

// One statement with at most one argument. NULL if it failed.
static PGresult *run(PGconn *conn, const char *statement, const char *argument) {
  PGresult *result = PQexecParams(conn, statement, argument ? 1 : 0, NULL, &argument, NULL, NULL, 0);
  ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return result;
  const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  if (state && strcmp(state, "42P01") == 0) fprintf(stderr, "the schema is missing: run `notes migrate`\n");
  else fprintf(stderr, "%s", PQerrorMessage(conn));
  PQclear(result);
  return NULL;
}

static int done(PGresult *result) {
  PQclear(result);
  return result != NULL;
}

// Brings the schema up to date; safe to run at every deployment, also twice at once.
static int migrate(PGconn *conn) {
  if (!done(run(conn, "BEGIN", NULL)) || !done(run(conn, "SELECT pg_advisory_xact_lock(hashtext('notes'))", NULL)) ||
      !done(run(conn, "CREATE SCHEMA IF NOT EXISTS notes", NULL)) ||
      !done(run(conn, "CREATE TABLE IF NOT EXISTS notes.migration (number int PRIMARY KEY)", NULL))) {
    return 0;
  }
  PGresult *last = run(conn, "SELECT coalesce(max(number), 0) FROM notes.migration", NULL);
  if (!last) return 0;
  int number = atoi(PQgetvalue(last, 0, 0));
  PQclear(last);
  for (; number < (int)(sizeof MIGRATIONS / sizeof *MIGRATIONS); number += 1) {
    char text[16];
    snprintf(text, sizeof text, "%d", number + 1);
    if (!done(run(conn, MIGRATIONS[number], NULL)) ||
        !done(run(conn, "INSERT INTO notes.migration VALUES ($1)", text))) {
      return 0;
    }
    printf("migration %s done\n", text);
  }
  return done(run(conn, "COMMIT", NULL));
}

static int add(PGconn *conn, const char *text) {
  PGresult *result = run(conn, "INSERT INTO notes.note (text) VALUES ($1) RETURNING id", text);
  if (result) printf("note %s\n", PQgetvalue(result, 0, 0));
  return done(result);
}

static int tick(PGconn *conn, const char *id) {
  PGresult *result = run(conn, "UPDATE notes.note SET done = now() WHERE id = $1 AND done IS NULL", id);
  int hit = result && strcmp(PQcmdTuples(result), "1") == 0;
  if (result && !hit) fprintf(stderr, "there is no open note %s\n", id);
  PQclear(result);
  return hit;
}

// The open notes after this one; gives the last one's number.
static long list(PGconn *conn, long after) {
  char text[24];
  snprintf(text, sizeof text, "%ld", after);
  PGresult *result = run(conn,
                         "SELECT id, to_char(written, 'YYYY-MM-DD HH24:MI'), text FROM notes.note"
                         " WHERE done IS NULL AND id > $1 ORDER BY id",
                         text);
  if (!result) return -1;
  for (int row = 0; row < PQntuples(result); row += 1) {
    printf("%5s  %s  %s\n", PQgetvalue(result, row, 0), PQgetvalue(result, row, 1), PQgetvalue(result, row, 2));
    after = atol(PQgetvalue(result, row, 0));
  }
  fflush(stdout);
  PQclear(result);
  return after;
}

// Shows notes as they come. Each look is a login of its own, so that nobody keeps a database awake by waiting.
static int follow(const lk_client *client, int seconds) {
  time_t end = time(NULL) + seconds;
  for (long last = 0; time(NULL) < end; nanosleep(&(struct timespec){0, 200000000}, NULL)) {
    PGconn *conn = login(client);
    last = conn ? list(conn, last) : -1;
    PQfinish(conn);
    if (last < 0) return 0;
  }
  return 1;
}

static int work(const lk_client *client, int count, char **words) {
  const char *command = count > 1 ? words[1] : "";
  if (strcmp(command, "follow") == 0 && count == 3) return follow(client, atoi(words[2]));
  int known = (count == 2 && (strcmp(command, "migrate") == 0 || strcmp(command, "list") == 0)) ||
              (count == 3 && (strcmp(command, "add") == 0 || strcmp(command, "done") == 0));
  if (!known) {
    fprintf(stderr, "usage: %s migrate | add TEXT | list | done ID | follow SECONDS\n", words[0]);
    return 0;
  }
  PGconn *conn = login(client);
  if (!conn) return 0;
  int good = command[0] == 'm'   ? migrate(conn)
             : command[0] == 'a' ? add(conn, words[2])
             : command[0] == 'd' ? tick(conn, words[2])
                                 : list(conn, 0) >= 0;
  PQfinish(conn);
  return good;
}

int main(int count, char **words) {
  if (!lk_check()) {
    fprintf(stderr, "this program was built for another version of liblakekey than %s\n", lk_version());
    return 2;
  }
  lk_error *err = NULL;
  lk_client *client = NULL;
  if (lk_client_new(NULL, &client, &err) != LK_OK) {
    fprintf(stderr, "%s\n", lk_error_text(err));
    lk_error_free(err);
    return 1;
  }
  int good = work(client, count, words);
  lk_client_free(client);
  return good ? 0 : 1;
}
