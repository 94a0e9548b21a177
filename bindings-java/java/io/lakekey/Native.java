package io.lakekey;

/**
 * The native library's methods. Numbers stand for clients, calls and questions; -1 stands for a time, a port or a status that
 * is left out, null for a text. What fails throws a {@link LakekeyException}.
 */
final class Native {
    private Native() {}

    /** No {@link #stamp()}. */
    static final long NO_STAMP = 0;

    static native String version();

    static native String[] codes();

    static native boolean hasThreads();

    /** Only in development builds. */
    static native void panicNow();

    /** {@code settings}: names and values by turns. */
    static native long open(
            String[] settings, String target, long timeout, String product, String sharedCredentials, Source source);

    static native long asUser(long client, String token);

    /** Stays the same while what was just looked up may be used again. */
    static native long stamp();

    static native String peek(long client, String target);

    /** Answers at once and gives 0, or gives a number to {@link #cancel} the call by. */
    static native long credential(long client, String target, long ttl, long timeout, Answer<?> answer);

    /** {@code texts}: target, database, user, sslmode, sslrootcert. */
    static native long connect(long client, String[] texts, int port, long ttl, long timeout, Answer<?> answer);

    static native void prepare(long client, String[] texts, int port, long ttl, long timeout);

    /** Begins a connect: its number. */
    static native long plan(long client, String[] texts, int port, long ttl, long timeout, long budget);

    /** {@code failure}: the driver's text about the last attempt; null before the first. */
    static native long next(long plan, String code, String failure, Answer<?> answer);

    static native void connected(long plan);

    static native void endPlan(long plan);

    static native boolean invalidate(long client, String token);

    static native void close(long client);

    static native long call(long client, String method, String arguments, long timeout, Answer<?> answer);

    /** {@code told}: whether to tell the answer how it goes meanwhile. */
    static native long waitOperation(long client, String operation, long timeout, boolean told, Answer<?> answer);

    static native void cancel(long call);

    static native void give(long question, String token, long expiresAt);

    static native void refuse(long question, String what, long thrown);

    static native void collect(int level);

    static native String[] drain();

    /** Tells {@code taker} by a call of its method {@code explanation}. */
    static native void explain(String code, String text, Object taker);

    /** Tells {@code taker} of each count. */
    static native void stats(long client, Stats.Taker taker);

    static native String[] recentEvents(long client);

    static native boolean refusesToken(String sqlState, String text, String user, String subject);

    static native void explainLogin(String sqlState, String text, String user, String subject);

    /** Called by the library to throw what went wrong. */
    static void raise(
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
            String[] login,
            String apiCode,
            String details) {
        Explanation explanation = Explanation.of(login, hint);
        throw new Failure(
                        code, slug, message, hint, httpStatus, requestId, retryable, causes, thrown, events, explanation,
                        apiCode, details)
                .exception();
    }
}
