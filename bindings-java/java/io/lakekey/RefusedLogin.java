package io.lakekey;

import java.util.Objects;
import java.util.Optional;

/**
 * A login that Postgres refused, as a driver reports it.
 *
 * @param sqlState the SQLSTATE, where the driver knows it; null else
 * @param text the server's text
 * @param user the role that was asked for; null if that is not known
 * @param subject the identity in the token; null if that is not known
 */
public record RefusedLogin(String sqlState, String text, String user, String subject) {
    /**
     * Checks that there is a text.
     *
     * @param sqlState the SQLSTATE, or null
     * @param text the server's text
     * @param user the role that was asked for, or null
     * @param subject the identity in the token, or null
     */
    public RefusedLogin {
        Objects.requireNonNull(text, "text");
    }

    /** {@return whether the server refused the token, so that a fresh one is worth one more try} */
    public boolean isOfToken() {
        NativeLibrary.load();
        return Native.refusesToken(sqlState, text, user, subject);
    }

    /**
     * {@return the exception to show, with the likeliest fix first}
     *
     * @param cause the driver's own exception
     */
    public LakekeyException explain(Throwable cause) {
        NativeLibrary.load();
        try {
            Native.explainLogin(sqlState, text, user, subject);
        } catch (LakekeyException explained) {
            explained.initCause(cause);
            return explained;
        }
        throw new IllegalStateException("a refused login has an explanation");
    }
}
