package io.lakekey;

import java.util.Map;
import java.util.Optional;

/**
 * Everything that a driver needs for one login.
 *
 * @param keywords libpq's keywords and values in libpq's order, without the password: {@code host}, {@code hostaddr},
 *     {@code port}, {@code user}, {@code dbname}, {@code sslmode}, {@code sslrootcert}, ... Lists are separated by commas,
 *     as libpq has them
 * @param password the credential's token; never log it
 * @param cached whether the token was there already: a login that is refused with such a one earns a fresh one, see
 *     {@link LakekeyClient#invalidate}
 * @param user the role to log in as
 * @param subject the identity in the token, if it names one
 * @param conninfo all of it as one connection string for libpq, the password in it; never log it
 */
public record ConnectParams(
        Map<String, String> keywords,
        String password,
        boolean cached,
        String user,
        Optional<String> subject,
        String conninfo) {

    /**
     * {@return the value of one of libpq's keywords, if it is set}
     *
     * @param keyword its name, such as {@code host}
     */
    public Optional<String> get(String keyword) {
        return Optional.ofNullable(keywords.get(keyword));
    }

    /** {@return a text without the password} */
    @Override
    public String toString() {
        return "ConnectParams" + keywords;
    }
}
