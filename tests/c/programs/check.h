// What the test programs share. A program ends at the first fact that is not true, with the place and what was found.

#ifndef CHECK_H
#define CHECK_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lakekey.h>

#define CHECK(fact)                                                          \
  do {                                                                       \
    if (!(fact)) {                                                           \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #fact);   \
      exit(1);                                                               \
    }                                                                        \
  } while (0)

// The call must return this code.
#define GIVES(code, call)                                                        \
  do {                                                                           \
    lk_status got_ = (call);                                                     \
    if (got_ != (lk_status)(code)) {                                             \
      fprintf(stderr, "%s:%d: %s gives %" PRIu32 ", expected %s\n", __FILE__,    \
              __LINE__, #call, got_, #code);                                     \
      exit(1);                                                                   \
    }                                                                            \
  } while (0)

// The call must succeed; `error` is the lk_error * that it was given.
#define GOOD(error, call)                                                        \
  do {                                                                           \
    if ((call) != LK_OK) {                                                       \
      fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call,              \
              lk_error_text(error));                                             \
      exit(1);                                                                   \
    }                                                                            \
  } while (0)

// A struct in which nothing is given.
#define BLANK(it)                   \
  do {                              \
    memset(&(it), 0, sizeof(it));   \
    (it).struct_size = sizeof(it);  \
  } while (0)

static inline const char *needed(const char *name) {
  const char *value = getenv(name);
  if (!value) {
    fprintf(stderr, "%s is not set\n", name);
    exit(1);
  }
  return value;
}

static inline void rest_ms(long ms) {
  struct timespec time;
  time.tv_sec = ms / 1000;
  time.tv_nsec = ms % 1000 * 1000000;
  nanosleep(&time, NULL);
}

static inline void same(const char *found, const char *expected) {
  if (!found || strcmp(found, expected) != 0) {
    fprintf(stderr, "found \"%s\", expected \"%s\"\n", found ? found : "NULL", expected);
    exit(1);
  }
}

static inline void holds(const char *text, const char *part) {
  if (!text || !strstr(text, part)) {
    fprintf(stderr, "\"%s\" does not hold \"%s\"\n", text ? text : "NULL", part);
    exit(1);
  }
}

#endif
