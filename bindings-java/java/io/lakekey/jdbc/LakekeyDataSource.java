package io.lakekey.jdbc;

import io.lakekey.ConnectRequest;
import io.lakekey.LakekeyClient;
import io.lakekey.LakekeyException;
import java.io.PrintWriter;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.time.Duration;
import java.util.Properties;
import java.util.logging.Logger;
import javax.sql.DataSource;

/**
 * Connections to a Lakebase database, each with a current credential. They are pgjdbc's own; put any pool before it.
 *
 * <pre>{@code
 * HikariConfig config = new HikariConfig();
 * config.setDataSource(LakekeyDataSource.forTarget("projects/shop/branches/production"));
 * config.setMaxLifetime(Duration.ofMinutes(45).toMillis());
 * HikariDataSource pool = new HikariDataSource(config);
 * }</pre>
 *
 * <p>Host, addresses, role, database and TLS come from the target and the environment. TLS is verified by name against the JVM's
 * trust store, unless {@code PGSSLMODE}, {@code PGSSLROOTCERT} or the setters say otherwise. A token that Postgres refuses earns one
 * fresh one; a compute that wakes is waited for.
 *
 * <p>A JavaBean too, for frameworks that make data sources by class name. What the setters change counts from the next connection on.
 */
public final class LakekeyDataSource implements DataSource {
    private final Properties properties = new Properties();
    private LakekeyClient client;
    private ConnectRequest request = ConnectRequest.usual();
    private Dialer dialer;
    private int loginTimeout;
    private PrintWriter logWriter;

    /** A data source with everything from the environment. */
    public LakekeyDataSource() {}

    /**
     * {@return a data source for a target, with everything else from the environment}
     *
     * <p>What its first connection needs is looked up and minted from now on.
     *
     * @param target such as {@code projects/shop/branches/production}
     */
    public static LakekeyDataSource forTarget(String target) {
        return forTarget(LakekeyClient.create(), ConnectRequest.of(target));
    }

    /**
     * {@return a data source}
     *
     * <p>What its first connection needs is looked up and minted from now on.
     *
     * @param client who mints
     * @param request to what, as whom and how
     */
    public static LakekeyDataSource forTarget(LakekeyClient client, ConnectRequest request) {
        LakekeyDataSource made = new LakekeyDataSource();
        made.client = client;
        made.request = request;
        try {
            made.dialer().prepare();
        } catch (SQLException impossible) {
            throw new IllegalStateException(impossible);
        }
        return made;
    }

    /** For the driver URL. */
    static LakekeyDataSource of(Properties properties, String database, String user) throws SQLException {
        LakekeyDataSource made = new LakekeyDataSource();
        made.properties.putAll(properties);
        made.request = made.request.withDatabase(database).withUser(user);
        return made;
    }

    /**
     * {@return a connection}
     *
     * @throws SQLException when none can be made; its message says why and what to do, its cause is a {@link LakekeyException} with
     *     pgjdbc's own exception below it
     */
    @Override
    public Connection getConnection() throws SQLException {
        return connect(null);
    }

    /**
     * {@return a connection as a certain role}
     *
     * @param user the role; null for the usual
     * @param password null or empty: lakekey gives the password
     * @throws SQLException as {@link #getConnection()}, and for a password
     */
    @Override
    public Connection getConnection(String user, String password) throws SQLException {
        if (password != null && !password.isEmpty()) {
            throw Failures.misuse("a password was given, but lakekey gives the password: leave it out. For a role with a native"
                    + " password use jdbc:postgresql: itself");
        }
        return connect(user == null || user.isEmpty() ? null : user);
    }

    private Connection connect(String user) throws SQLException {
        Duration budget;
        Dialer ready;
        synchronized (this) {
            budget = loginTimeout == 0 ? null : Duration.ofSeconds(loginTimeout);
            ready = dialer();
        }
        return ready.connect(user, budget);
    }

    private synchronized Dialer dialer() throws SQLException {
        if (dialer == null) {
            Settings settings = Settings.of(properties);
            ConnectRequest wanted = request;
            if (client != null && settings.isGiven()) {
                throw Failures.misuse("lakekey.* properties cannot be given to a data source that was made with forTarget: give them"
                        + " to the client or the request, or make it with new LakekeyDataSource()");
            }
            if (client == null) {
                ConnectRequest said = settings.request();
                wanted = new ConnectRequest(
                        wanted.target() == null ? said.target() : wanted.target(),
                        wanted.database(),
                        wanted.user(),
                        wanted.port(),
                        wanted.sslmode(),
                        wanted.sslrootcert(),
                        said.ttl(),
                        said.timeout());
            }
            try {
                dialer = new Dialer(client == null ? settings.client() : client, wanted, settings.driver());
            } catch (LakekeyException problem) {
                throw Failures.of(problem, null);
            }
        }
        return dialer;
    }

    private synchronized void change(ConnectRequest wanted) {
        request = wanted;
        dialer = null;
    }

    /**
     * Sets the database server.
     *
     * @param target such as {@code projects/shop/branches/production}; null for the environment's
     */
    public synchronized void setTarget(String target) {
        ConnectRequest old = request;
        change(new ConnectRequest(
                target,
                old.database(),
                old.user(),
                old.port(),
                old.sslmode(),
                old.sslrootcert(),
                old.ttl(),
                old.timeout()));
    }

    /** {@return the database server, if it was set} */
    public synchronized String getTarget() {
        return request.target();
    }

    /**
     * Sets the database.
     *
     * @param database its name; null for {@code PGDATABASE} or the workspace's own
     */
    public synchronized void setDatabase(String database) {
        change(request.withDatabase(database));
    }

    /** {@return the database, if it was set} */
    public synchronized String getDatabase() {
        return request.database();
    }

    /**
     * Sets the role to log in as.
     *
     * @param user its name; null for the identity's own
     */
    public synchronized void setUser(String user) {
        change(request.withUser(user));
    }

    /** {@return the role, if it was set} */
    public synchronized String getUser() {
        return request.user();
    }

    /**
     * Sets the port.
     *
     * @param port from 1 to 65535; null for {@code PGPORT} or 5432
     */
    public synchronized void setPort(Integer port) {
        ConnectRequest old = request;
        change(new ConnectRequest(
                old.target(),
                old.database(),
                old.user(),
                port,
                old.sslmode(),
                old.sslrootcert(),
                old.ttl(),
                old.timeout()));
    }

    /** {@return the port, if it was set} */
    public synchronized Integer getPort() {
        return request.port();
    }

    /**
     * Sets the mode of TLS.
     *
     * @param sslmode as libpq has it; null for {@code verify-full}
     */
    public synchronized void setSslmode(String sslmode) {
        change(request.withSslmode(sslmode));
    }

    /** {@return the mode of TLS, if it was set} */
    public synchronized String getSslmode() {
        return request.sslmode();
    }

    /**
     * Sets the root certificates.
     *
     * @param sslrootcert a file in PEM; null for the JVM's trust store
     */
    public synchronized void setSslrootcert(String sslrootcert) {
        change(request.withSslrootcert(sslrootcert));
    }

    /** {@return the file of root certificates, if it was set} */
    public synchronized String getSslrootcert() {
        return request.sslrootcert();
    }

    /**
     * Sets one of pgjdbc's properties, such as {@code ApplicationName}, or one of lakekey's, such as {@code lakekey.profile}.
     *
     * @param name its name
     * @param value its value; null takes it back
     */
    public synchronized void setProperty(String name, String value) {
        if (value == null) {
            properties.remove(name);
        } else {
            properties.setProperty(name, value);
        }
        dialer = null;
    }

    /**
     * Sets the budget of a connect, all attempts and waits included.
     *
     * @param seconds zero for 30 seconds
     */
    @Override
    public synchronized void setLoginTimeout(int seconds) {
        loginTimeout = Math.max(0, seconds);
    }

    @Override
    public synchronized int getLoginTimeout() {
        return loginTimeout;
    }

    @Override
    public synchronized PrintWriter getLogWriter() {
        return logWriter;
    }

    /**
     * Kept and given back; what lakekey has to log goes to {@link io.lakekey.LakekeyLog}.
     *
     * @param out the writer
     */
    @Override
    public synchronized void setLogWriter(PrintWriter out) {
        logWriter = out;
    }

    @Override
    public Logger getParentLogger() throws SQLFeatureNotSupportedException {
        throw new SQLFeatureNotSupportedException("see io.lakekey.LakekeyLog");
    }

    @Override
    public <T> T unwrap(Class<T> type) throws SQLException {
        if (type.isInstance(this)) {
            return type.cast(this);
        }
        throw new SQLException("LakekeyDataSource wraps no " + type.getName());
    }

    @Override
    public boolean isWrapperFor(Class<?> type) {
        return type.isInstance(this);
    }
}
