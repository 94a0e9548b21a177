package io.lakekey.jdbc;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.Driver;
import java.sql.DriverManager;
import java.sql.DriverPropertyInfo;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.logging.Logger;

/**
 * The driver of {@code jdbc:lakekey:TARGET/DATABASE?NAME=VALUE&...}, for programs that can be given a URL and nothing else.
 *
 * <p>{@code TARGET} is a path such as {@code projects/shop/branches/production}, a dotted name such as {@code shop.production}, an
 * endpoint's id or its host; the environment's where it is left out. {@code DATABASE} may be left out too. What follows the question
 * mark are pgjdbc's and lakekey's properties, encoded as in a form. Connections are pgjdbc's own.
 *
 * <p>{@link DriverManager} finds it by itself.
 */
public final class LakekeyDriver implements Driver {
    /** What the URLs begin with. */
    public static final String PREFIX = "jdbc:lakekey:";

    private static final List<String> COLLECTIONS = List.of("projects", "branches", "endpoints");

    static {
        try {
            DriverManager.registerDriver(new LakekeyDriver());
        } catch (SQLException never) {
            throw new ExceptionInInitializerError(never);
        }
    }

    /** Called by {@link DriverManager} and by frameworks that make drivers by class name. */
    public LakekeyDriver() {}

    @Override
    public boolean acceptsURL(String url) {
        return url != null && url.startsWith(PREFIX);
    }

    @Override
    public Connection connect(String url, Properties info) throws SQLException {
        if (!acceptsURL(url)) {
            return null;
        }
        Properties properties = new Properties();
        if (info != null) {
            for (String name : info.stringPropertyNames()) {
                properties.setProperty(name, info.getProperty(name));
            }
        }
        int question = url.indexOf('?');
        String place = url.substring(PREFIX.length(), question < 0 ? url.length() : question);
        if (question >= 0) {
            read(url.substring(question + 1), properties);
        }
        String[] parts = split(place);
        if (!parts[0].isEmpty()) {
            properties.setProperty(Settings.TARGET, parts[0]);
        }
        String user = taken(properties, "user");
        String password = taken(properties, "password");
        String sslmode = taken(properties, "sslmode");
        String sslrootcert = taken(properties, "sslrootcert");
        Integer port = port(taken(properties, "port"));
        Duration budget = budget(taken(properties, "loginTimeout"));
        LakekeyDataSource source = LakekeyDataSource.of(properties, parts[1], user);
        source.setPort(port);
        source.setSslmode(sslmode);
        source.setSslrootcert(sslrootcert);
        if (budget != null) {
            source.setLoginTimeout((int) Math.min(Integer.MAX_VALUE, Math.max(1, budget.toSeconds())));
        }
        return source.getConnection(null, password);
    }

    /** Target and database of what stands before the question mark; either may be empty, the database null. */
    static String[] split(String place) throws SQLException {
        String text = place.startsWith("//") ? place.substring(2) : place;
        String[] segments = text.split("/", -1);
        int taken = 0;
        if (segments[0].equals(COLLECTIONS.get(0))) {
            while (taken / 2 < COLLECTIONS.size()
                    && taken + 1 < segments.length
                    && segments[taken].equals(COLLECTIONS.get(taken / 2))) {
                taken += 2;
            }
            if (taken == 0) {
                throw Failures.misuse("the URL ends after 'projects': name one, as in jdbc:lakekey:projects/shop/mydb");
            }
        } else {
            taken = 1;
        }
        if (segments.length > taken + 1) {
            throw Failures.misuse("the URL has '" + segments[taken + 1]
                    + "' where it should end: write jdbc:lakekey:TARGET/DATABASE, and a / in a database's name as %2F");
        }
        String target = String.join("/", List.of(segments).subList(0, taken));
        String database = segments.length > taken && !segments[taken].isEmpty() ? decoded(segments[taken]) : null;
        return new String[] {decoded(target), database};
    }

    private static void read(String query, Properties properties) throws SQLException {
        for (String pair : query.split("&")) {
            if (pair.isEmpty()) {
                continue;
            }
            int equals = pair.indexOf('=');
            if (equals < 1) {
                throw Failures.misuse("the URL holds a property without a value after the question mark: write NAME=VALUE");
            }
            properties.setProperty(decoded(pair.substring(0, equals)), decoded(pair.substring(equals + 1)));
        }
    }

    private static String decoded(String text) throws SQLException {
        try {
            return URLDecoder.decode(text, StandardCharsets.UTF_8);
        } catch (IllegalArgumentException malformed) {
            throw Failures.misuse("the URL holds a % that is not followed by two hexadecimal digits");
        }
    }

    private static String taken(Properties properties, String name) {
        String value = (String) properties.remove(name);
        return value == null || value.isEmpty() ? null : value;
    }

    private static Integer port(String text) throws SQLException {
        try {
            return text == null ? null : Integer.valueOf(text);
        } catch (NumberFormatException notANumber) {
            throw Failures.misuse("port is '" + text + "', which is no number");
        }
    }

    private static Duration budget(String seconds) throws SQLException {
        if (seconds == null) {
            return null;
        }
        try {
            double value = Double.parseDouble(seconds);
            return value > 0 ? Duration.ofMillis((long) (value * 1000)) : null;
        } catch (NumberFormatException notANumber) {
            throw Failures.misuse("loginTimeout is '" + seconds + "', which is no number of seconds");
        }
    }

    @Override
    public DriverPropertyInfo[] getPropertyInfo(String url, Properties info) {
        return new DriverPropertyInfo[] {
            info(Settings.TARGET, "the database server, such as projects/shop/branches/production", info),
            info(Settings.TIMEOUT, "seconds that looking up and minting may take", info),
            info(Settings.TTL, "seconds that a credential should live", info),
            info("user", "the role to log in as; the identity's own if left out", info),
            info("port", "the port; 5432 if left out", info),
            info("sslmode", "as libpq has it; verify-full if left out", info),
            info("sslrootcert", "a file of root certificates; the JVM's trust store if left out", info),
        };
    }

    private static DriverPropertyInfo info(String name, String description, Properties given) {
        DriverPropertyInfo info = new DriverPropertyInfo(name, given == null ? null : given.getProperty(name));
        info.description = description;
        return info;
    }

    @Override
    public int getMajorVersion() {
        return 0;
    }

    @Override
    public int getMinorVersion() {
        return 1;
    }

    /** {@return false: that is a claim about SQL, which is pgjdbc's} */
    @Override
    public boolean jdbcCompliant() {
        return false;
    }

    @Override
    public Logger getParentLogger() throws SQLFeatureNotSupportedException {
        throw new SQLFeatureNotSupportedException("see io.lakekey.LakekeyLog");
    }
}
