// lakekey: short-lived Databricks Lakebase credentials for any Postgres driver, and connections made with them.
//
// How to read this file:
//
// - A function returns a lk_status: LK_OK, or the number of what went wrong. Its results are its last parameters; they
//   are written when it succeeds and left alone when it fails. `err` may be NULL; else an lk_error is put there when the
//   function fails, and is yours to free.
// - A text is given as a pointer and a length in bytes and must be UTF-8. LK_NUL_TERMINATED as the length stands for
//   strlen. NULL with the length 0 is no text at all, which is something else than an empty one. Texts that come out end
//   with a NUL and belong to the thing that they were asked of: they are good until it is freed.
// - A struct begins with `struct_size`, which you set to sizeof the struct, and zero in a field means that it is not
//   given. Fields are only ever added at the end, so a program built with this header works with later libraries.
// - What a lk_..._new or another function gives you ends with the lk_..._free of its type; freeing NULL is harmless. A
//   thing that is freed twice or used afterwards, or that is of another type, is answered with LK_HANDLE_INVALID.
//   Freeing a thing while another thread uses it is safe: it ends when that thread's call has ended.
// - All functions may be called from any thread. Nothing starts a thread before the first call that has to wait. After
//   fork() the child may go on using what it has. The library must not be unloaded.


#ifndef LAKEKEY_H
#define LAKEKEY_H

// Made from bindings-c/src by cbindgen; do not edit.

#include <stddef.h>
#include <stdint.h>

// As the length of a text: it ends with a NUL.
#define LK_NUL_TERMINATED SIZE_MAX

// Whether this header and the library that was loaded fit together. Ask once at the start.
#define lk_check() (lk_abi_version() == LK_ABI_VERSION)


// No records.
#define LK_LOG_OFF 0

// What failed for good.
#define LK_LOG_ERROR 1

// What failed and is being tried again.
#define LK_LOG_WARN 2

// What happened.
#define LK_LOG_INFO 3

// Why it happened.
#define LK_LOG_DEBUG 4

// The version of this header. It grows when a program built with it could not use an older library.
#define LK_ABI_VERSION 1

// Ends the waits that were given it, from another thread.
typedef struct lk_cancel lk_cancel;

// A client: who you are and which databases you reach. Its credentials are shared with the process's other clients that
// are the same identity.
typedef struct lk_client lk_client;

// Everything that a driver needs for one login.
typedef struct lk_connect lk_connect;

// A database credential.
typedef struct lk_credential lk_credential;

// What went wrong.
typedef struct lk_error lk_error;

// What an error means for a login.
typedef struct lk_explanation lk_explanation;

// A connect under way.
typedef struct lk_plan lk_plan;

// A text that must not be seen, such as a token. Wiped from memory when it is freed.
typedef struct lk_secret lk_secret;

// What was counted in this process, and its last events.
typedef struct lk_stats lk_stats;

// Where a token callback puts its answer. Good until the callback returns.
typedef struct lk_token_answer lk_token_answer;

// What a function returns: LK_OK, or one of the numbers below. A later library may return more of them; the hundreds
// name the family.
typedef uint32_t lk_status;

// One configuration attribute by its Databricks name: `host`, `token`, `client_id`, ...
typedef struct {
  // The attribute.
  const char *name;
  // Its length in bytes.
  size_t name_len;
  // Its value.
  const char *value;
  // Its length in bytes.
  size_t value_len;
} lk_setting;

// Gives a workspace token that is valid now: calls lk_token_answer_set and returns 0. Any other number means that there
// is none, and is told in the error. Called on a thread of lakekey's, so it must be ready for that; it may call lakekey
// with another client.
typedef int32_t (*lk_token_callback)(void *data, lk_token_answer *answer);

// What a client is made from. What is not set comes from the environment and the configuration file.
typedef struct {
  // Set it to sizeof the struct.
  size_t struct_size;
  // Configuration attributes.
  const lk_setting *settings;
  // How many there are.
  size_t settings_count;
  // The database of calls that name none.
  const char *target;
  // Its length in bytes.
  size_t target_len;
  // Added to the user agent, such as `myapp/1.0`.
  const char *product;
  // Its length in bytes.
  size_t product_len;
  // How long calls wait that say nothing about it.
  uint64_t timeout_ms;
  // The program's own source of workspace tokens.
  lk_token_callback token_callback;
  // Given to the callback.
  void *token_data;
  // Called with `token_data` once, when the client and all of its calls have ended; may be NULL.
  void (*token_data_free)(void *data);
  // Whether processes of this user on this host share credentials, and where: `on` (below XDG_RUNTIME_DIR), the
  // absolute path of a directory, either after `required:`, or `off`. Without it LAKEKEY_SHARED_CREDENTIALS says so.
  const char *shared_credentials;
  // Its length in bytes.
  size_t shared_credentials_len;
} lk_client_options;

// Which login is wanted.
typedef struct {
  // Set it to sizeof the struct.
  size_t struct_size;
  // The database server; none for the client's own.
  const char *target;
  // Its length in bytes.
  size_t target_len;
  // The database's name.
  const char *database;
  // Its length in bytes.
  size_t database_len;
  // The role to log in as.
  const char *user;
  // Its length in bytes.
  size_t user_len;
  // libpq's `sslmode`.
  const char *sslmode;
  // Its length in bytes.
  size_t sslmode_len;
  // libpq's `sslrootcert`.
  const char *sslrootcert;
  // Its length in bytes.
  size_t sslrootcert_len;
  // How long the credential should live.
  uint64_t ttl_ms;
  // How long to wait.
  uint64_t timeout_ms;
  // The port.
  uint32_t port;
  // Zero.
  uint32_t reserved;
  // What may end the wait; NULL for nothing.
  const lk_cancel *cancel;
  // With lk_client_plan: how long the whole connect may take, waits and all attempts included. The usual are 30 s.
  uint64_t budget_ms;
} lk_connect_request;

// The facts of one login. The texts and arrays belong to it.
typedef struct {
  // Set it to sizeof the struct.
  size_t struct_size;
  // libpq's keywords, the password's among them, with a NULL behind the last: for PQconnectdbParams and
  // PQconnectStartParams.
  const char *const *keywords;
  // Their values, with a NULL behind the last. Wiped when the lk_connect is freed.
  const char *const *values;
  // How many of each, without the NULL.
  size_t count;
  // The role to log in as.
  const char *user;
  // The identity in the token; NULL if it does not say.
  const char *subject;
  // The password.
  const char *password;
  // 1 if the token was there already, so that a refused login earns a fresh one, else 0.
  uint32_t cached;
  // 1 for the first attempt of an lk_plan; 0 if it is of none.
  uint32_t number;
  // How long dial and login may take together; 0 if it is of no lk_plan.
  uint64_t timeout_ms;
  // The address to dial, which is among the keywords too; NULL where the name has to do, or if it is of no lk_plan.
  const char *address;
} lk_connect_info;

// Which credential is wanted.
typedef struct {
  // Set it to sizeof the struct.
  size_t struct_size;
  // The database; none for the client's own.
  const char *target;
  // Its length in bytes.
  size_t target_len;
  // How long the credential should live, where it is minted; the server may shorten it.
  uint64_t ttl_ms;
  // How long to wait.
  uint64_t timeout_ms;
  // What may end the wait; NULL for nothing.
  const lk_cancel *cancel;
} lk_credential_request;

// The facts of a credential, but for its token. The texts belong to the credential.
typedef struct {
  // Set it to sizeof the struct.
  size_t struct_size;
  // Its end, in milliseconds since 1970.
  uint64_t expires_at_ms;
  // When it was asked for, in milliseconds since 1970.
  uint64_t issued_at_ms;
  // 1 if it was there already when it was asked for, else 0.
  uint32_t cached;
  // Zero.
  uint32_t reserved;
  // The endpoint's resource name.
  const char *endpoint;
  // The identity in the token, which is the role it logs in as; NULL if it does not say.
  const char *subject;
} lk_credential_info;

// The facts of an error. The texts belong to the error.
typedef struct {
  // Set it to sizeof the struct.
  size_t struct_size;
  // The stable number; what the function returned as well.
  lk_status code;
  // 1 if the same call may succeed later with nothing changed, else 0.
  uint32_t retryable;
  // The status of the workspace's HTTP answer; 0 if none came.
  uint32_t http_status;
  // How many causes there are.
  uint32_t causes_count;
  // The stable name: `AUTH_DENIED`.
  const char *slug;
  // What went wrong: a sentence without the hint. Its wording may change.
  const char *message;
  // What the reader can do about it, or NULL.
  const char *hint;
  // The workspace's id of the request, or NULL.
  const char *request_id;
  // The messages of the causes, outermost first.
  const char *const *causes;
  // What the service itself calls the error, such as `ALREADY_EXISTS`, or NULL.
  const char *api_code;
  // What the service says besides: a JSON array of objects with their type in `@type`, or NULL.
  const char *details;
  // The kind of trouble if it is about a login, such as `role_missing`, or NULL.
  const char *login_kind;
  // What happened in this process before it, oldest first, each with its time. No secrets.
  const char *const *events;
  // How many events there are.
  size_t events_count;
} lk_error_info;

// One log record. Its texts are good until the callback returns.
typedef struct {
  // Set it to sizeof the struct.
  size_t struct_size;
  // When, in milliseconds since 1970.
  uint64_t at_ms;
  // LK_LOG_ERROR to LK_LOG_DEBUG.
  uint32_t level;
  // Zero.
  uint32_t reserved;
  // How many records were thrown away before this one because nobody fetched them in time.
  uint64_t dropped;
  // Which part of lakekey says it: `lakekey::credential`.
  const char *source;
  // What it says.
  const char *text;
} lk_log_record;

// Gets one record. Called on a thread of the program's, inside a function of lakekey's or lk_log_flush; it may call
// lakekey.
typedef void (*lk_log_callback)(void *data, const lk_log_record *record);

// What an error means for a login. The texts belong to the explanation.
typedef struct {
  // Set it to sizeof the struct.
  size_t struct_size;
  // The kind of trouble, such as `role_missing` or `endpoint_waking`; `unknown` for what is not known.
  const char *kind;
  // For how long another try is worth it: `never`, `once`, `short`, `wake`, `connect` or `branch`.
  const char *budget;
  // The likeliest fix, or NULL.
  const char *hint;
  // 1 if another try may succeed, else 0.
  uint32_t retry;
  // 1 if the token has to be given to lk_client_invalidate first, else 0.
  uint32_t invalidate;
} lk_explanation_info;

// Told of an unfinished operation, on the thread that waits for it: `{"name": ..., "waited_ms": ..., "metadata": ...}`,
// which is gone afterwards. Anything but 0 ends the wait with LK_CANCELLED, and not the operation.
typedef int32_t (*lk_progress)(void *data, const char *json, size_t len);

// How a call of the management API is waited for.
typedef struct {
  // Set it to sizeof the struct.
  size_t struct_size;
  // How long to wait.
  uint64_t timeout_ms;
  // What may end the wait; NULL for nothing.
  const lk_cancel *cancel;
  // Told of an unfinished operation now and then by lk_wait_operation; may be NULL.
  lk_progress progress;
  // Given to it.
  void *progress_data;
} lk_wait_options;

// Gets the next attempt: `status` is LK_OK and `connect` the attempt, or it is the number of `error`. Both are yours to
// free; the other one is NULL. Called once, on a thread of lakekey's, which it must not block; it may call lakekey.
typedef void (*lk_plan_callback)(void *data, lk_status status, lk_connect *connect, lk_error *error);

// One count.
typedef struct {
  // What was counted: `mints`, `cache_hits`, `waits`, `logins`, ...; with a label `failures` and `mint_failures` by the
  // slug of the error, `login_failures` by the kind of trouble.
  const char *name;
  // Which of them, or NULL. What never happened has no count.
  const char *label;
  // How often.
  uint64_t value;
} lk_count;

// A distribution of durations or ages.
typedef struct {
  // Its name, ending with the unit: `mint_ms`, `wait_ms`, `connect_ms`, `token_age_s`.
  const char *name;
  // The upper bound of each bucket but the last, itself included.
  const uint64_t *bounds;
  // How many values are in each bucket.
  const uint64_t *counts;
  // How many buckets there are.
  size_t buckets;
  // How many values there are.
  uint64_t count;
  // What they add up to.
  uint64_t sum;
} lk_histogram;

// What was counted. The texts and arrays belong to the lk_stats.
typedef struct {
  // Set it to sizeof the struct.
  size_t struct_size;
  // The counts.
  const lk_count *counts;
  // How many there are.
  size_t counts_count;
  // The distributions.
  const lk_histogram *histograms;
  // How many there are.
  size_t histograms_count;
  // The last events of this process, oldest first, each with its time.
  const char *const *events;
  // How many there are.
  size_t events_count;
  // The workspace's clock minus this machine's, if `clock_skew_known` is 1.
  int64_t clock_skew_ms;
  // 1 once an answer of the workspace told its time, else 0.
  uint32_t clock_skew_known;
  // Zero.
  uint32_t reserved;
} lk_stats_info;

// It succeeded.
#define LK_OK 0

// No workspace host in arguments, environment or profile.
#define LK_CONFIG_MISSING_HOST 1001

// A value that cannot be used; the message names where it came from.
#define LK_CONFIG_INVALID 1002

// The configuration file or the profile cannot be read or does not exist.
#define LK_CONFIG_PROFILE 1003

// More than one way to authenticate is configured.
#define LK_CONFIG_CONFLICT 1004

// No way to authenticate is configured.
#define LK_AUTH_NOT_CONFIGURED 1101

// The workspace or its token endpoint refused the identity.
#define LK_AUTH_DENIED 1102

// A token endpoint gave an answer that cannot be used.
#define LK_AUTH_FAILED 1103

// The host program's token callback failed.
#define LK_AUTH_CALLBACK 1104

// An account host, which has no Lakebase API.
#define LK_AUTH_ACCOUNT_HOST 1105

// A target that is no resource name, dotted name or host.
#define LK_TARGET_INVALID 1201

// A target that leaves a choice, which is never made silently.
#define LK_TARGET_AMBIGUOUS 1202

// The project, branch or endpoint does not exist, or may not be seen.
#define LK_TARGET_NOT_FOUND 1203

// No target in arguments or environment.
#define LK_TARGET_MISSING 1204

// The endpoint is disabled; a connection cannot wake it.
#define LK_ENDPOINT_DISABLED 1205

// The endpoint is still being made and has no host yet.
#define LK_ENDPOINT_NOT_READY 1206

// A token login on a pooled host, which takes native passwords only.
#define LK_POOLER_REFUSED 1207

// No TCP connection to the control plane.
#define LK_HTTP_CONNECT 1301

// The control plane did not answer in time.
#define LK_HTTP_TIMEOUT 1302

// The control plane's certificate was not accepted, or TLS failed otherwise.
#define LK_HTTP_TLS 1303

// The control plane's name was not found.
#define LK_HTTP_DNS 1304

// The HTTP proxy refused or could not be reached.
#define LK_HTTP_PROXY 1305

// The control plane's answer is not what the protocol says.
#define LK_HTTP_PROTOCOL 1306

// The API refused the request as invalid (400).
#define LK_API_BAD_REQUEST 1401

// The identity may not do this (403).
#define LK_API_PERMISSION_DENIED 1402

// The API knows no such resource (404).
#define LK_API_NOT_FOUND 1403

// The resource exists or is in another state (409).
#define LK_API_CONFLICT 1404

// Too many requests (429).
#define LK_API_RATE_LIMITED 1405

// The API is unavailable (5xx).
#define LK_API_UNAVAILABLE 1406

// Any other refusal of the API.
#define LK_API_ERROR 1407

// An argument of a management call that cannot be sent: missing, misspelt or malformed.
#define LK_API_ARGUMENT 1408

// A long-running operation ended with an error.
#define LK_OPERATION_FAILED 1409

// No usable credential in time: the last one ended and minting fails.
#define LK_CREDENTIAL_UNAVAILABLE 1501

// The minted credential cannot be used.
#define LK_CREDENTIAL_INVALID 1502

// The directory of shared credentials cannot be used, and the program requires it.
#define LK_SHARED_DIRECTORY 1503

// A connection string that does not parse.
#define LK_CONNINFO_SYNTAX 1601

// A connection parameter with a value that cannot be used.
#define LK_CONNINFO_INVALID 1602

// The database host's name has no address.
#define LK_RESOLVE_FAILED 1701

// Name resolution took longer than allowed.
#define LK_RESOLVE_TIMEOUT 1702

// Postgres refused the login.
#define LK_LOGIN_REFUSED 1801

// No login within the connect's budget: the database sleeps, is full, or cannot be reached.
#define LK_LOGIN_UNAVAILABLE 1802

// The database server's TLS or certificate was not accepted.
#define LK_LOGIN_TLS 1803

// The caller's own time limit passed.
#define LK_TIMEOUT 1901

// The caller cancelled.
#define LK_CANCELLED 1902

// The client was closed.
#define LK_CLOSED 1903

// A handle that was freed, is of another type, or never was one.
#define LK_HANDLE_INVALID 1904

// A defect of lakekey.
#define LK_INTERNAL 1990

// A panic inside lakekey, caught at the language boundary.
#define LK_INTERNAL_PANIC 1991

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Makes something by which waits can be ended. Calls take it in their request.
lk_status lk_cancel_new(lk_cancel **out, lk_error **err);

// Ends the calls that were given it, now and later, with LK_CANCELLED. A mint that others wait for goes on. Harmless when
// repeated.
lk_status lk_cancel_now(const lk_cancel *cancel);

// Frees it; waits under way go on and cannot be ended by it any more.
lk_status lk_cancel_free(lk_cancel *cancel);

// Makes a client from the options, the environment as it is now, and the configuration file. No request, no thread.
// `options` may be NULL.
lk_status lk_client_new(const lk_client_options *options, lk_client **out, lk_error **err);

// Makes a client that is the user of this workspace token and nobody else: for an app that is handed its users' tokens.
lk_status lk_client_as_user(const lk_client *client,
                            const char *token,
                            size_t token_len,
                            lk_client **out,
                            lk_error **err);

// Takes a token out of the cache because Postgres refused it. `fresh` becomes 1 if another try would get a new one, else
// 0; it may be NULL.
lk_status lk_client_invalidate(const lk_client *client,
                               const char *token,
                               size_t token_len,
                               uint32_t *fresh,
                               lk_error **err);

// Ends a client: calls that begin later fail with LK_CLOSED. Harmless when repeated. It must be freed as well.
lk_status lk_client_close(const lk_client *client);

// Frees a client. Calls under way end by themselves; credentials stay with the process for its other clients.
lk_status lk_client_free(lk_client *client);

// Everything that a driver needs for one login: host, addresses, port, user, database, TLS, and a token that is valid
// now. Ask again for each login; out of the cache that costs nothing. `request` may be NULL.
lk_status lk_client_connect_params(const lk_client *client,
                                   const lk_connect_request *request,
                                   lk_connect **out,
                                   lk_error **err);

// The same as one connection string for PQconnectdb, the password in it.
lk_status lk_client_conninfo(const lk_client *client,
                             const lk_connect_request *request,
                             lk_secret **out,
                             lk_error **err);

// Starts what a first such login needs and returns at once, so that it overlaps with the program's own start. What goes
// wrong is left to that login. `request` may be NULL.
lk_status lk_client_prepare(const lk_client *client, const lk_connect_request *request, lk_error **err);

// The facts of a login.
lk_status lk_connect_get(const lk_connect *connect, lk_connect_info *info);

// A login as one connection string for PQconnectdb, the password in it.
lk_status lk_connect_conninfo(const lk_connect *connect, lk_secret **out);

// Frees a login, and wipes its password.
lk_status lk_connect_free(lk_connect *connect);

// A database credential's token: the password of one login. Out of the cache at once; else it is minted, once for
// all who wait for the same one. `request` may be NULL.
lk_status lk_client_token(const lk_client *client,
                          const lk_credential_request *request,
                          lk_secret **out,
                          lk_error **err);

// A database credential with its times and identity. `request` may be NULL.
lk_status lk_client_credential(const lk_client *client,
                               const lk_credential_request *request,
                               lk_credential **out,
                               lk_error **err);

// The facts of a credential.
lk_status lk_credential_get(const lk_credential *credential, lk_credential_info *info);

// The token of a credential.
lk_status lk_credential_token(const lk_credential *credential, lk_secret **out);

// Frees a credential. It goes on being served to others.
lk_status lk_credential_free(lk_credential *credential);

// The facts of an error.
lk_status lk_error_get(const lk_error *error, lk_error_info *info);

// An error in one line for people: slug, message and hint. It belongs to the error. Never NULL: for what is no error, or
// was freed, it is a text that says so.
const char *lk_error_text(const lk_error *error);

// Ends an error.
lk_status lk_error_free(lk_error *error);

// Sends log records up to this level to a function, for the whole process; with NULL to nobody any more. They are handed
// over on the threads that call lakekey. When this returns, other threads may be inside the former function for a
// moment longer.
lk_status lk_log_sink(uint32_t level,
                      lk_log_callback callback,
                      void *data,
                      lk_error **err);

// Hands over the log records that have come since the last call that waited.
lk_status lk_log_flush(void);

// What a login that failed means. `text` is what the driver said, whole; `code` is the SQLSTATE, the system's name of
// the error such as `ECONNREFUSED`, or the slug of an lk_error, and may be NULL. No request.
lk_status lk_explain(const char *code,
                     size_t code_len,
                     const char *text,
                     size_t text_len,
                     lk_explanation **out,
                     lk_error **err);

// The facts of an explanation.
lk_status lk_explanation_get(const lk_explanation *explanation, lk_explanation_info *info);

// Frees an explanation.
lk_status lk_explanation_free(lk_explanation *explanation);

// Calls a method of the management API by its name there, such as `create_branch`. `arguments` is a JSON object: what
// stands in the path, what stands in the query, and the resource under its own name; NULL for none. The answer's JSON
// is a secret because it may hold one. `options` may be NULL.
lk_status lk_call(const lk_client *client,
                  const char *method,
                  size_t method_len,
                  const char *arguments,
                  size_t arguments_len,
                  const lk_wait_options *options,
                  lk_secret **out,
                  lk_error **err);

// Waits for an operation, as lk_call gave it or as `{"name": "..."}`, and gives the JSON that it ends with. It goes on
// when the wait is given up. `options` may be NULL.
lk_status lk_wait_operation(const lk_client *client,
                            const char *operation,
                            size_t operation_len,
                            const lk_wait_options *options,
                            lk_secret **out,
                            lk_error **err);

// Begins a connect: it says what to dial, and after each failed login whether and what to dial next. Waits between the
// tries, one fresh token for a refused one, other addresses and questions to the workspace happen in lk_plan_next. No
// request yet; its budget runs from here. `request` may be NULL.
lk_status lk_client_plan(const lk_client *client, const lk_connect_request *request, lk_plan **out, lk_error **err);

// The next attempt, after what became of the last one; it waits where that is worth it. `text` is what libpq said of
// the last one, NULL before the first; `sqlstate` may be NULL. The attempt is for one address and has its time in
// lk_connect_info, and as libpq's `connect_timeout`. It fails when another try is not worth it or the budget is over;
// that error is the one to show. For failed logins only: what ran in a session is never tried again. For one thread at
// a time.
lk_status lk_plan_next(const lk_plan *plan,
                       const char *sqlstate,
                       size_t sqlstate_len,
                       const char *text,
                       size_t text_len,
                       lk_connect **out,
                       lk_error **err);

// As lk_plan_next for programs that must not wait, such as those that drive PQconnectPoll from a loop of events: it
// returns at once and the callback is told later, unless this fails.
lk_status lk_plan_next_async(const lk_plan *plan,
                             const char *sqlstate,
                             size_t sqlstate_len,
                             const char *text,
                             size_t text_len,
                             lk_plan_callback callback,
                             void *data,
                             lk_error **err);

// Tells that the last attempt succeeded: it is counted.
lk_status lk_plan_connected(const lk_plan *plan);

// Ends a connect; what it gave stays good. A callback that is due still comes.
lk_status lk_plan_free(lk_plan *plan);

// Answers a token callback. `expires_at_ms` is the token's end in milliseconds since 1970, or 0 if that is not known.
// The token is copied. Given twice, the last one counts.
lk_status lk_token_answer_set(lk_token_answer *answer, const char *token, size_t token_len, uint64_t expires_at_ms);

// The text of a secret, which ends with a NUL behind its `len` bytes. It belongs to the secret.
lk_status lk_secret_get(const lk_secret *secret, const char **data, size_t *len);

// Wipes a secret.
lk_status lk_secret_free(lk_secret *secret);

// What was counted in this process since it began, or since its fork, over all its clients, and the last events. No
// secrets. No request.
lk_status lk_client_stats(const lk_client *client, lk_stats **out, lk_error **err);

// What was counted, as arrays.
lk_status lk_stats_get(const lk_stats *stats, lk_stats_info *info);

// One count by its name, and by its label where it has one, else NULL. What never happened is 0; a name that is not
// counted is refused with LK_CONFIG_INVALID.
lk_status lk_stats_count(const lk_stats *stats,
                         const char *name,
                         size_t name_len,
                         const char *label,
                         size_t label_len,
                         uint64_t *value);

// Frees what was counted.
lk_status lk_stats_free(lk_stats *stats);

// The version of the library that was loaded; compared with LK_ABI_VERSION by lk_check.
uint32_t lk_abi_version(void);

// The version of lakekey, such as `0.1.0`. Never freed.
const char *lk_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LAKEKEY_H */
