package io.lakekey.jdbc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.lakekey.ClientOptions;
import io.lakekey.Emulator;
import io.lakekey.Explanation;
import io.lakekey.LakekeyClient;
import io.lakekey.LakekeyException;
import io.lakekey.Stats;
import java.net.ConnectException;
import java.net.UnknownHostException;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What a failed login means, what is counted of it, and what happened before. */
@ExtendWith(Emulator.Fresh.class)
class ExplainTest {
    @Test
    void aDriversErrorIsExplained() {
        Explanation missing = Explanation.of(new SQLException("FATAL: role \"ann\" does not exist", "28000"));
        assertEquals("role_missing", missing.kind());
        assertEquals("never", missing.budget());
        assertFalse(missing.retry());
        assertTrue(missing.hint().orElseThrow().contains("databricks_create_role"));
        Explanation stale = Explanation.of(new SQLException("said in any language", "28P01"));
        assertEquals("stale_token", stale.kind());
        assertTrue(stale.retry() && stale.invalidate());
        // The outermost says only that there is no connection.
        SQLException dns = new SQLException("The connection attempt failed.", "08001", new UnknownHostException("db.example.com"));
        assertEquals("dns", Explanation.of(dns).kind());
        assertEquals("tcp", Explanation.of(new CompletionException(new ConnectException("Connection refused"))).kind());
        assertEquals("unknown", Explanation.of(new IllegalStateException("no login would say that")).kind());
        assertThrows(NullPointerException.class, () -> Explanation.of(null));
    }

    @Test
    void anErrorOfLakekeysIsExplainedByItself() {
        LakekeyException config = assertThrows(
                LakekeyException.class,
                () -> LakekeyClient.create(ClientOptions.builder().attribute("hots", "x").build()));
        assertTrue(config.explanation().isEmpty());
        Explanation explained = Explanation.of(new RuntimeException("of a framework", config));
        assertEquals("unknown", explained.kind());
        assertFalse(explained.retry());
        assertEquals(config.hint(), explained.hint());
    }

    @Test
    void whatAPoolHidesIsExplainedAndCounted(Emulator emulator) {
        LakekeyClient client = LakekeyClient.create(emulator.stranger().build());
        Stats before = client.stats();
        LakekeyDataSource source = LakekeyDataSource.forTarget(client, Server.request(emulator).withDatabase("nope"));
        HikariConfig config = new HikariConfig();
        config.setDataSource(source);
        config.setInitializationFailTimeout(-1);
        config.setMinimumIdle(0);
        config.setConnectionTimeout(5000);
        try (HikariDataSource pool = new HikariDataSource(config)) {
            SQLException hidden = assertThrows(SQLException.class, pool::getConnection);
            assertEquals("database_missing", Explanation.of(hidden).kind(), hidden.toString());
            assertTrue(Explanation.of(hidden).hint().orElseThrow().contains("CREATE DATABASE"));
        }
        SQLException failed = assertThrows(SQLException.class, source::getConnection);
        LakekeyException own = (LakekeyException) failed.getCause();
        assertEquals("database_missing", own.explanation().orElseThrow().kind());
        List<String> events = own.events();
        assertTrue(events.get(events.size() - 1).contains("gave up: database_missing"), events.toString());
        assertTrue(client.recentEvents().containsAll(events.subList(events.size() - 2, events.size())));
        Stats after = client.stats();
        long tried = after.count("login_attempts") - before.count("login_attempts");
        assertTrue(tried >= 2, after.toString());
        assertEquals(tried, after.count("login_failures", "database_missing") - before.count("login_failures", "database_missing"));
        assertTrue(after.count("failures", "LOGIN_REFUSED") > before.count("failures", "LOGIN_REFUSED"));
        assertEquals(before.count("logins"), after.count("logins"));
    }

    @Test
    void whatHappenedIsCounted(Emulator emulator) throws Exception {
        LakekeyClient client = LakekeyClient.create(emulator.stranger().build());
        Stats before = client.stats();
        LakekeyDataSource.forTarget(client, Server.request(emulator)).getConnection().close();
        for (int i = 0; i < 1000; i++) {
            client.token();
        }
        Stats after = client.stats();
        assertEquals(1, after.count("mints") - before.count("mints"));
        assertEquals(1, after.count("logins") - before.count("logins"));
        assertTrue(after.count("cache_hits") - before.count("cache_hits") >= 1000);
        Stats.Histogram minted = after.histograms().get("mint_ms");
        assertEquals(1, minted.count() - before.histograms().get("mint_ms").count());
        assertEquals(minted.count(), minted.counts().sum());
        assertEquals(minted.counts().count(), minted.bounds().count() + 1);
        assertTrue(minted.toString().contains("more: "), minted.toString());
        assertTrue(after.clockSkew().orElseThrow().abs().toSeconds() < 60);
        assertEquals(0, after.count("login_failures", "no_such_kind"));
        for (String name : List.of("logouts", "login_failures")) {
            assertThrows(IllegalArgumentException.class, () -> after.count(name));
        }
        assertThrows(UnsupportedOperationException.class, () -> after.labelled().put("x", Map.of()));
        assertThrows(UnsupportedOperationException.class, () -> after.labelled().get("failures").put("x", 1L));
        client.close();
        assertThrows(LakekeyException.Closed.class, client::stats);
        assertThrows(LakekeyException.Closed.class, client::recentEvents);
    }
}
