package io.lakekey.jdbc;

import io.lakekey.ClientOptions;
import io.lakekey.ConnectRequest;
import io.lakekey.LakekeyClient;
import java.sql.SQLException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;

/**
 * The properties of a connection: those that are lakekey's, taken apart from those for pgjdbc.
 *
 * @param target null for the client's own
 * @param attributes of the configuration, by their Databricks names
 * @param timeout of look-ups and mints; null for the usual
 * @param ttl of the credential; null for the usual
 * @param driver for pgjdbc
 */
record Settings(
        String target, Map<String, String> attributes, Duration timeout, Duration ttl, Map<String, String> driver) {

    static final String PREFIX = "lakekey.";
    static final String TARGET = PREFIX + "target";
    static final String TIMEOUT = PREFIX + "timeout";
    static final String TTL = PREFIX + "ttl";

    /** Set by {@link Dialer} on the connections that it makes: the one address that they dial. */
    static final String HOSTADDR = PREFIX + "hostaddr";

    /** Beside it the port. */
    static final String HOSTPORT = PREFIX + "hostport";

    /** Clients by what they were made from. They share all credentials, but each resolves the configuration for itself. */
    private static final Map<Map<String, String>, LakekeyClient> CLIENTS = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Map<String, String>, LakekeyClient> eldest) {
            // Not closed: somebody may use it at this moment. It goes when nobody does.
            return size() > 64;
        }
    };

    static Settings of(Properties properties) throws SQLException {
        Map<String, String> attributes = new TreeMap<>();
        Map<String, String> driver = new LinkedHashMap<>();
        String target = null;
        Duration timeout = null;
        Duration ttl = null;
        for (String name : properties.stringPropertyNames()) {
            String value = properties.getProperty(name);
            switch (name) {
                case TARGET -> target = value.isEmpty() ? null : value;
                case TIMEOUT -> timeout = seconds(name, value);
                case TTL -> ttl = seconds(name, value);
                case HOSTADDR, HOSTPORT -> {}
                default -> {
                    if (name.startsWith(PREFIX)) {
                        attributes.put(name.substring(PREFIX.length()), value);
                    } else {
                        driver.put(name, value);
                    }
                }
            }
        }
        return new Settings(target, attributes, timeout, ttl, driver);
    }

    private static Duration seconds(String name, String value) throws SQLException {
        try {
            double seconds = Double.parseDouble(value);
            if (seconds > 0 && seconds < 1e9) {
                return Duration.ofMillis((long) Math.ceil(seconds * 1000));
            }
        } catch (NumberFormatException notANumber) {
            // Said below.
        }
        throw Failures.misuse("the property " + name + " is '" + value + "', which is no number of seconds above zero");
    }

    /** Whether anything of lakekey's own was given. */
    boolean isGiven() {
        return target != null || !attributes.isEmpty() || timeout != null || ttl != null;
    }

    /** The client for these attributes; the same one for the same attributes. */
    LakekeyClient client() {
        synchronized (CLIENTS) {
            return CLIENTS.computeIfAbsent(Map.copyOf(attributes), key -> {
                ClientOptions.Builder options = ClientOptions.builder();
                key.forEach(options::attribute);
                return LakekeyClient.create(options.build());
            });
        }
    }

    /** {@return a text without values: among them are secrets} */
    @Override
    public String toString() {
        return "Settings[target=" + target + ", attributes=" + attributes.keySet() + ", driver=" + driver.keySet() + "]";
    }

    /** What is looked up and minted for such a connection. */
    ConnectRequest request() {
        ConnectRequest request = ConnectRequest.of(target);
        if (timeout != null) {
            request = request.withTimeout(timeout);
        }
        return ttl == null ? request : request.withTtl(ttl);
    }
}
