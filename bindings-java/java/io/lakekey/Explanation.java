package io.lakekey;

import java.sql.SQLException;
import java.util.Objects;
import java.util.Optional;

/**
 * What an error means for a login.
 *
 * @param kind the kind of trouble, such as {@code role_missing} or {@code endpoint_waking}; {@code unknown} for what is not
 *     known. It never changes its meaning; hints may
 * @param retry whether another try may succeed
 * @param budget for how long another try is worth it: {@code never}, {@code once}, {@code short}, {@code wake},
 *     {@code connect} or {@code branch}
 * @param invalidate whether the cached token has to be given to {@link LakekeyClient#invalidate} first
 * @param hint the likeliest fix
 */
public record Explanation(String kind, boolean retry, String budget, boolean invalidate, Optional<String> hint) {
    /** Long enough for any chain of causes that a program makes on purpose. */
    private static final int DEEPEST = 20;

    /**
     * Checks that all are there.
     *
     * @param kind the kind of trouble
     * @param retry whether another try may succeed
     * @param budget for how long
     * @param invalidate whether the token has to go first
     * @param hint the likeliest fix
     */
    public Explanation {
        Objects.requireNonNull(kind, "kind");
        Objects.requireNonNull(budget, "budget");
        Objects.requireNonNull(hint, "hint");
    }

    /**
     * {@return what an error of pgjdbc, a pool, a framework or lakekey means for a login}
     *
     * <p>Its causes are looked through as well. An explanation that lakekey gave already counts first, then the first error,
     * from the outermost, that says anything. An error that no login would have is of the kind {@code unknown}.
     *
     * @param error the error
     */
    public static Explanation of(Throwable error) {
        Objects.requireNonNull(error, "error");
        NativeLibrary.load();
        Explanation last = Taker.explained(null, "");
        Throwable next = error;
        for (int depth = 0; next != null && depth < DEEPEST; depth++, next = next.getCause()) {
            if (next instanceof LakekeyException own) {
                Explanation known = own.explanation().orElseGet(() -> Taker.explained(own.slug(), ""));
                if (!known.isUnknown()) {
                    return known;
                }
                last = new Explanation(known.kind, own.retryable(), known.budget, known.invalidate, own.hint());
            }
        }
        next = error;
        for (int depth = 0; next != null && depth < DEEPEST; depth++, next = next.getCause()) {
            if (!(next instanceof LakekeyException)) {
                Explanation known = next instanceof SQLException sql
                        ? Taker.explained(sql.getSQLState(), ConnectPlan.said(sql))
                        : Taker.explained(null, next.toString());
                if (!known.isUnknown()) {
                    return known;
                }
            }
        }
        return last;
    }

    private boolean isUnknown() {
        return kind.equals("unknown");
    }

    /** As the library tells it of an error: kind, retry, budget, invalidate; null for none. */
    static Explanation of(String[] login, String hint) {
        return login == null
                ? null
                : new Explanation(
                        login[0], Boolean.parseBoolean(login[1]), login[2], Boolean.parseBoolean(login[3]), Optional.ofNullable(hint));
    }

    /** Gets one from the library. */
    private static final class Taker {
        private Explanation given;

        static Explanation explained(String code, String text) {
            Taker taker = new Taker();
            Native.explain(code, text, taker);
            return taker.given;
        }

        // Called by the library.
        @SuppressWarnings("unused")
        void explanation(String kind, boolean retry, String budget, boolean invalidate, String hint) {
            given = new Explanation(kind, retry, budget, invalidate, Optional.ofNullable(hint));
        }
    }
}
