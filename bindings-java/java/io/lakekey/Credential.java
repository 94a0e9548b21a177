package io.lakekey;

import java.time.Instant;
import java.util.Optional;

/**
 * A database credential: the password of logins until its end.
 *
 * @param token the password; never log it
 * @param issuedAt when it was asked for
 * @param expiresAt its end, on this machine's clock; sessions that logged in with it go on after that
 * @param endpoint the resource name of the endpoint that it is for
 * @param subject the identity in the token, which is the role to log in as, if the token names one
 */
public record Credential(
        String token, Instant issuedAt, Instant expiresAt, String endpoint, Optional<String> subject) {

    /** {@return a text without the token} */
    @Override
    public String toString() {
        return "Credential[endpoint=" + endpoint + ", subject=" + subject.orElse("unknown") + ", expiresAt=" + expiresAt
                + "]";
    }
}
