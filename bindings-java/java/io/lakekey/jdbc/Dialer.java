package io.lakekey.jdbc;

import io.lakekey.ConnectPlan;
import io.lakekey.ConnectRequest;
import io.lakekey.LakekeyClient;
import io.lakekey.LakekeyException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.postgresql.Driver;

/** Makes pgjdbc's connections: which address, which password and whether to try again is asked of a {@link ConnectPlan}. */
final class Dialer {
    /** Trusts what the JVM trusts; with {@code verify-full} the name is verified as well. */
    private static final String JVM_TRUST_STORE = "org.postgresql.ssl.DefaultJavaSSLFactory";

    /** What would contradict the plan. */
    private static final Set<String> DECIDED = Set.of(
            "authenticationPluginClassName", "socketFactory", "socketFactoryArg", "PGHOST", "PGPORT", "PGDBNAME", "password");

    private final LakekeyClient client;
    private final ConnectRequest request;
    private final Map<String, String> driver;

    /** {@code driver}: properties for pgjdbc. */
    Dialer(LakekeyClient client, ConnectRequest request, Map<String, String> driver) throws SQLException {
        for (String name : driver.keySet()) {
            if (DECIDED.contains(name)) {
                throw Failures.misuse("the property " + name
                        + " cannot be given: lakekey decides it. For a role with a native password, or a server that the target"
                        + " does not name, use jdbc:postgresql: itself");
            }
        }
        this.client = client;
        this.request = trusted(request);
        this.driver = Map.copyOf(driver);
    }

    /** The JVM's own trust store, where nobody names certificates. */
    private static ConnectRequest trusted(ConnectRequest request) {
        String root = given(request.sslrootcert(), "PGSSLROOTCERT");
        String mode = given(request.sslmode(), "PGSSLMODE");
        // The JVM's store goes with verify-full only, as libpq's "system" does; weaker modes are the user's own choice.
        boolean weaker = mode != null && !mode.equals("verify-full");
        return root != null || weaker ? request : request.withSslrootcert("system");
    }

    private static String given(String value, String variable) {
        String text = value != null ? value : System.getenv(variable);
        return text == null || text.isEmpty() ? null : text;
    }

    /** Starts what the first connection needs. */
    void prepare() {
        client.prepare(request);
    }

    /** {@code budget} for the whole connect; null for the usual. */
    Connection connect(String user, Duration budget) throws SQLException {
        ConnectRequest wanted = user == null ? request : request.withUser(user);
        SQLException last = null;
        try (ConnectPlan plan = client.plan(wanted, budget)) {
            ConnectPlan.Attempt attempt = plan.next();
            while (true) {
                try {
                    Connection connection = dial(attempt);
                    plan.connected();
                    return connection;
                } catch (SQLException failure) {
                    if (Thread.currentThread().isInterrupted()) {
                        throw failure;
                    }
                    if (last != null && last != failure) {
                        failure.addSuppressed(last);
                    }
                    last = failure;
                }
                attempt = plan.next(last);
            }
        } catch (LakekeyException problem) {
            throw Failures.of(problem, last);
        }
    }

    private Connection dial(ConnectPlan.Attempt attempt) throws SQLException {
        Properties properties = new Properties();
        driver.forEach(properties::setProperty);
        properties.setProperty("user", attempt.user());
        properties.setProperty("password", attempt.password());
        properties.setProperty("sslmode", attempt.keywords().get("sslmode"));
        String root = attempt.keywords().get("sslrootcert");
        if ("system".equals(root)) {
            properties.putIfAbsent("sslfactory", JVM_TRUST_STORE);
        } else if (root != null) {
            properties.setProperty("sslrootcert", root);
        }
        // Bounds the whole login; connectTimeout bounds the dial alone.
        properties.setProperty("loginTimeout", String.valueOf(Math.max(1, attempt.timeout().toMillis()) / 1000.0));
        attempt.address().ifPresent(address -> {
            properties.setProperty("socketFactory", LakekeySocketFactory.class.getName());
            properties.setProperty(Settings.HOSTADDR, address);
            properties.setProperty(Settings.HOSTPORT, String.valueOf(attempt.port()));
        });
        String host = attempt.host().contains(":") ? "[" + attempt.host() + "]" : attempt.host();
        String url = "jdbc:postgresql://" + host + ":" + attempt.port() + "/"
                + URLEncoder.encode(attempt.keywords().get("dbname"), StandardCharsets.UTF_8);
        Connection connection = new Driver().connect(url, properties);
        if (connection == null) {
            throw Failures.misuse("pgjdbc does not know the URL " + url);
        }
        return connection;
    }
}
