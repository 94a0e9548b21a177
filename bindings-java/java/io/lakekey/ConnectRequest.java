package io.lakekey;

import java.time.Duration;

/**
 * Which credential or connection is wanted. What is left out comes from the client's options, from {@code PG*} variables, or
 * from the workspace. Requests are values: each method gives a changed copy.
 *
 * @param target the database server, such as {@code projects/shop/branches/production}; null for the client's own
 * @param database the database's name; null for the workspace's own
 * @param user the role to log in as; null for the identity's own
 * @param port the port; null for the usual one
 * @param sslmode libpq's {@code sslmode}; null for {@code verify-full}
 * @param sslrootcert libpq's {@code sslrootcert}; null for the system's roots
 * @param ttl how long the credential should live, to the millisecond; null for the workspace's usual
 * @param timeout how long to wait, to the millisecond; null for the client's usual
 */
public record ConnectRequest(
        String target,
        String database,
        String user,
        Integer port,
        String sslmode,
        String sslrootcert,
        Duration ttl,
        Duration timeout) {

    private static final ConnectRequest USUAL = new ConnectRequest(null, null, null, null, null, null, null, null);

    /** {@return a request for the client's own target} */
    public static ConnectRequest usual() {
        return USUAL;
    }

    /**
     * {@return a request for a target}
     *
     * @param target the database server; null for the client's own
     */
    public static ConnectRequest of(String target) {
        return new ConnectRequest(target, null, null, null, null, null, null, null);
    }

    /**
     * {@return a copy with this database}
     *
     * @param database its name
     */
    public ConnectRequest withDatabase(String database) {
        return new ConnectRequest(target, database, user, port, sslmode, sslrootcert, ttl, timeout);
    }

    /**
     * {@return a copy with this role}
     *
     * @param user the role to log in as
     */
    public ConnectRequest withUser(String user) {
        return new ConnectRequest(target, database, user, port, sslmode, sslrootcert, ttl, timeout);
    }

    /**
     * {@return a copy with this port}
     *
     * @param port from 1 to 65535
     */
    public ConnectRequest withPort(int port) {
        return new ConnectRequest(target, database, user, port, sslmode, sslrootcert, ttl, timeout);
    }

    /**
     * {@return a copy with this mode of TLS}
     *
     * @param sslmode as libpq has it
     */
    public ConnectRequest withSslmode(String sslmode) {
        return new ConnectRequest(target, database, user, port, sslmode, sslrootcert, ttl, timeout);
    }

    /**
     * {@return a copy with these root certificates}
     *
     * @param sslrootcert as libpq has it: a file, or {@code system}
     */
    public ConnectRequest withSslrootcert(String sslrootcert) {
        return new ConnectRequest(target, database, user, port, sslmode, sslrootcert, ttl, timeout);
    }

    /**
     * {@return a copy with this life of the credential}
     *
     * @param ttl more than zero, to the millisecond
     */
    public ConnectRequest withTtl(Duration ttl) {
        return new ConnectRequest(target, database, user, port, sslmode, sslrootcert, ttl, timeout);
    }

    /**
     * {@return a copy with this time limit}
     *
     * @param timeout more than zero, to the millisecond
     */
    public ConnectRequest withTimeout(Duration timeout) {
        return new ConnectRequest(target, database, user, port, sslmode, sslrootcert, ttl, timeout);
    }

    /** The texts, as the library takes them. */
    String[] texts() {
        return new String[] {target, database, user, sslmode, sslrootcert};
    }

    int nativePort() {
        if (port != null && port < 1) {
            return 0;
        }
        return port == null ? -1 : port;
    }

    /** Milliseconds for the library, which refuses zero; a part of one counts as one. */
    static long millis(Duration duration) {
        if (duration == null) {
            return -1;
        }
        try {
            return Math.max(0, duration.plusNanos(999_999).toMillis());
        } catch (ArithmeticException tooLong) {
            return Long.MAX_VALUE;
        }
    }
}
