package io.lakekey;

/**
 * What went wrong, before it is an exception: one is made where it is thrown, so that its stack trace says where that was.
 *
 * @param httpStatus -1 where no answer came
 * @param thrown the number of what a token provider threw, or -1
 */
record Failure(
        int code,
        String slug,
        String message,
        String hint,
        int httpStatus,
        String requestId,
        boolean retryable,
        String[] causes,
        long thrown,
        String[] events,
        Explanation explanation,
        String apiCode,
        String details) {

    static final int CONFIG_INVALID = 1002;
    static final int TIMEOUT = 1901;
    static final int CANCELLED = 1902;

    LakekeyException exception() {
        return exception(Source.thrown(thrown));
    }

    LakekeyException exception(Throwable cause) {
        return LakekeyException.of(this, cause);
    }

    static Failure config(String message, String hint) {
        return of(CONFIG_INVALID, "CONFIG_INVALID", message, hint, false);
    }

    static Failure cancelled(String message) {
        return of(CANCELLED, "CANCELLED", message, null, false);
    }

    static Failure timeout(String message, String hint) {
        return of(TIMEOUT, "TIMEOUT", message, hint, true);
    }

    private static Failure of(int code, String slug, String message, String hint, boolean retryable) {
        return new Failure(code, slug, message, hint, -1, null, retryable, new String[0], -1, new String[0], null, null, null);
    }
}
