package io.lakekey.jdbc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.lakekey.ConnectParams;
import io.lakekey.Emulator;
import io.lakekey.LakekeyClient;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.sql.DataSource;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(Emulator.Fresh.class)
class HikariTest {
    private static HikariConfig config(DataSource source, int size) {
        HikariConfig config = new HikariConfig();
        config.setDataSource(source);
        config.setMaximumPoolSize(size);
        config.setMinimumIdle(0);
        return config;
    }

    @Test
    void aStormOverThreePoolsMintsOnce(Emulator emulator) throws Exception {
        LakekeyClient client = LakekeyClient.create(emulator.stranger().build());
        List<HikariDataSource> pools = new ArrayList<>();
        ExecutorService threads = Executors.newFixedThreadPool(100);
        try {
            for (int i = 0; i < 3; i++) {
                pools.add(new HikariDataSource(
                        config(LakekeyDataSource.forTarget(client, Server.request(emulator)), 20)));
            }
            List<Callable<String>> logins = new ArrayList<>();
            for (int i = 0; i < 500; i++) {
                HikariDataSource pool = pools.get(i % 3);
                logins.add(() -> {
                    try (Connection connection = pool.getConnection()) {
                        return Server.ask(connection, "SELECT current_user");
                    }
                });
            }
            for (Future<String> login : threads.invokeAll(logins)) {
                assertEquals(Server.USER, login.get());
            }
        } finally {
            threads.shutdownNow();
            pools.forEach(HikariDataSource::close);
        }
        assertEquals(1, emulator.mints());
    }

    /** A minute of rotations, in which every query logs in anew. */
    @Test
    @Tag("minute")
    void aMinuteOfRotationsUnderLoadFailsNoLogin(Emulator emulator) throws Exception {
        emulator.post("/tokens", Map.of("ttl_s", 5));
        AtomicInteger queries = new AtomicInteger();
        Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try (HikariDataSource pool = new HikariDataSource(config(Server.source(emulator), 4))) {
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
            for (int i = 0; i < 4; i++) {
                threads.execute(() -> {
                    while (System.nanoTime() < end) {
                        try (Connection connection = pool.getConnection()) {
                            Server.ask(connection, "SELECT pg_sleep(0.01)");
                            queries.incrementAndGet();
                            pool.evictConnection(connection);
                        } catch (SQLException problem) {
                            failures.add(problem);
                        }
                    }
                });
            }
            threads.shutdown();
            assertTrue(threads.awaitTermination(120, TimeUnit.SECONDS));
        }
        assertEquals(List.of(), List.copyOf(failures));
        int mints = emulator.mints();
        assertTrue(mints >= 12 && mints <= 31, mints + " mints for " + queries.get() + " logins");
        assertEquals(0, emulator.count("logins_refused"));
        assertTrue(queries.get() > 100, queries.get() + " logins");
    }

    @Test
    void theCredentialsProviderGivesRoleAndToken(Emulator emulator) throws Exception {
        LakekeyClient client = LakekeyClient.create(emulator.stranger().build());
        ConnectParams params = client.connectParams(Server.request(emulator));
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl("jdbc:postgresql://" + params.get("host").orElseThrow().split(",")[0] + ":"
                + Server.port(emulator) + "/databricks_postgres");
        config.addDataSourceProperty("socketFactory", LakekeySocketFactory.class.getName());
        config.addDataSourceProperty("lakekey.hostaddr", "127.0.0.1");
        config.addDataSourceProperty("sslmode", "verify-full");
        config.addDataSourceProperty("sslrootcert", Server.ca(emulator));
        config.setCredentialsProvider(new LakekeyCredentialsProvider(client, Server.request(emulator)));
        config.setMaximumPoolSize(2);
        try (HikariDataSource pool = new HikariDataSource(config);
                Connection connection = pool.getConnection()) {
            assertEquals(Server.USER, Server.ask(connection, "SELECT current_user"));
        }
    }

    @Test
    void aDataSourceByClassNameIsEnough(Emulator emulator) throws Exception {
        HikariConfig config = new HikariConfig();
        config.setDataSourceClassName(LakekeyDataSource.class.getName());
        config.addDataSourceProperty("target", Server.TARGET);
        config.addDataSourceProperty("port", Server.port(emulator));
        config.addDataSourceProperty("sslrootcert", Server.ca(emulator));
        LakekeyDataSource source = new LakekeyDataSource();
        source.setTarget(Server.TARGET);
        source.setPort(Server.port(emulator));
        source.setSslrootcert(Server.ca(emulator));
        source.setProperty("lakekey.host", emulator.env().get("DATABRICKS_HOST"));
        source.setProperty("lakekey.token", "dapi-emulator");
        try (HikariDataSource pool = new HikariDataSource(config(source, 2));
                Connection connection = pool.getConnection()) {
            assertEquals(Server.USER, Server.ask(connection, "SELECT current_user"));
        }
        assertEquals(Server.TARGET, ((LakekeyDataSource) made(config)).getTarget());
    }

    /** What HikariCP makes of such a configuration. */
    private static DataSource made(HikariConfig config) throws Exception {
        LakekeyDataSource made = new LakekeyDataSource();
        com.zaxxer.hikari.util.PropertyElf.setTargetFromProperties(made, config.getDataSourceProperties());
        return made;
    }
}
