package io.lakekey;

import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What the library asks for workspace tokens: starts a thread for each question and returns. A daemon, because a provider that
 * hangs must not keep the program from ending, and Java's own, because a native one would be attached for as long.
 */
final class Source {
    private static final int KEPT = 64;

    // What providers threw, until the exception is made that it is the cause of. Failures are shared by all who wait, so an
    // entry stays for a while. They are kept here, since what native code holds could keep a class loader for ever.
    private static final Map<Long, Throwable> THROWN = new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Long, Throwable> eldest) {
            return size() > KEPT;
        }
    };

    private static long last;

    private final TokenProvider.Expiring expiring;
    private final TokenProvider plain;

    Source(TokenProvider plain) {
        this.plain = plain;
        this.expiring = null;
    }

    Source(TokenProvider.Expiring expiring) {
        this.plain = null;
        this.expiring = expiring;
    }

    /** Called by the library. */
    void ask(long question) {
        Thread thread = new Thread(() -> answer(question), "lakekey-token-provider");
        thread.setDaemon(true);
        thread.setContextClassLoader((plain == null ? expiring : plain).getClass().getClassLoader());
        thread.start();
    }

    private void answer(long question) {
        try {
            if (plain != null) {
                Native.give(question, plain.token(), -1);
            } else {
                TokenProvider.Token given = expiring.token();
                Native.give(question, given.token(), millis(given.expiresAt()));
            }
        } catch (Throwable problem) {
            Native.refuse(question, "threw " + problem.getClass().getName() + place(problem), keep(problem));
        }
    }

    /** Milliseconds; an end that is further away than they reach is none. */
    private static long millis(Instant end) {
        try {
            return Math.max(0, end.toEpochMilli());
        } catch (ArithmeticException farAway) {
            return end.getEpochSecond() < 0 ? 0 : -1;
        }
    }

    private static String place(Throwable problem) {
        StackTraceElement[] stack = problem.getStackTrace();
        return stack.length == 0 ? "" : " at " + stack[0];
    }

    private static long keep(Throwable problem) {
        synchronized (THROWN) {
            THROWN.put(++last, problem);
            return last;
        }
    }

    static Throwable thrown(long number) {
        synchronized (THROWN) {
            return THROWN.get(number);
        }
    }
}
