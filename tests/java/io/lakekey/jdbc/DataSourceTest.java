package io.lakekey.jdbc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lakekey.ConnectRequest;
import io.lakekey.Credential;
import io.lakekey.Emulator;
import io.lakekey.LakekeyClient;
import io.lakekey.LakekeyException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLInvalidAuthorizationSpecException;
import java.sql.SQLNonTransientConnectionException;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.postgresql.PGConnection;

@ExtendWith(Emulator.Fresh.class)
class DataSourceTest {
    private static String whole(Throwable problem) {
        StringWriter text = new StringWriter();
        problem.printStackTrace(new PrintWriter(text));
        return text.toString();
    }

    @Test
    void aConnectionIsPgjdbcsOwnAndVerified(Emulator emulator) throws Exception {
        LakekeyDataSource source = Server.source(emulator);
        try (Connection connection = source.getConnection()) {
            assertEquals(Server.USER, Server.ask(connection, "SELECT current_user"));
            assertEquals("databricks_postgres", connection.getCatalog());
            assertTrue(connection.isWrapperFor(PGConnection.class));
            // The gateway speaks TLS only, and the name in it led here: it routes by SNI.
            assertTrue(connection.getMetaData().getURL().contains(".database.localhost:"));
        }
        assertEquals(1, emulator.mints());
    }

    @Test
    void aRoleAndADatabaseCanBeChosen(Emulator emulator) throws Exception {
        LakekeyDataSource source = Server.source(emulator);
        try (Connection connection = source.getConnection("data engineers", "")) {
            assertEquals("data engineers", Server.ask(connection, "SELECT current_user"));
        }
        source.setDatabase("postgres");
        try (Connection connection = source.getConnection()) {
            assertEquals("postgres", Server.ask(connection, "SELECT current_database()"));
        }
    }

    @Test
    void aRefusedTokenEarnsOneFreshOne(Emulator emulator) throws Exception {
        LakekeyDataSource source = Server.source(emulator);
        source.getConnection().close();
        emulator.post("/tokens", Map.of("rotate_key", true));
        source.getConnection().close();
        assertEquals(2, emulator.mints());
    }

    @Test
    void aComputeThatSleepsIsWokenAndWaitedFor(Emulator emulator) throws Exception {
        LakekeyDataSource source = Server.source(emulator);
        source.getConnection().close();
        String endpoint = "/endpoints/" + Server.TARGET + "/endpoints/primary";
        emulator.post(endpoint, Map.of("action", "suspend"));
        try (Connection connection = source.getConnection()) {
            assertEquals("1", Server.ask(connection, "SELECT 1"));
        }
    }

    @Test
    void aRoleThatDoesNotExistIsAnswerEnough(Emulator emulator) {
        LakekeyDataSource source = Server.source(emulator);
        SQLException refused = assertThrows(SQLException.class, () -> source.getConnection("nobody@example.com", null));
        assertInstanceOf(SQLInvalidAuthorizationSpecException.class, refused);
        assertEquals("28P01", refused.getSQLState());
        LakekeyException cause = assertInstanceOf(LakekeyException.Login.class, refused.getCause());
        assertTrue(cause.hint().isPresent());
        assertInstanceOf(org.postgresql.util.PSQLException.class, cause.getCause());
    }

    @Test
    void anAuthorityThatTheJvmDoesNotTrustIsRefused(Emulator emulator) {
        LakekeyClient client = LakekeyClient.create(emulator.stranger().build());
        LakekeyDataSource source = LakekeyDataSource.forTarget(
                client, ConnectRequest.of(Server.TARGET).withPort(Server.port(emulator)));
        SQLException refused = assertThrows(SQLException.class, source::getConnection);
        assertInstanceOf(SQLNonTransientConnectionException.class, refused, whole(refused));
        assertEquals("LOGIN_TLS", ((LakekeyException) refused.getCause()).slug());
    }

    @ParameterizedTest
    @ValueSource(strings = {"require", "verify-ca", "prefer"})
    void aWeakerSslmodeIsTheUsersOwnChoice(String mode, Emulator emulator) throws Exception {
        LakekeyDataSource source = Server.source(emulator);
        source.setSslmode(mode);
        source.getConnection().close();
        if (mode.equals("require")) {
            // Without roots too, as in pgjdbc.
            source.setSslrootcert(null);
            source.getConnection().close();
        }
    }

    @Test
    void aClientsDataSourceTakesNoIdentityBesides(Emulator emulator) {
        LakekeyDataSource source = Server.source(emulator);
        source.setProperty("lakekey.profile", "other");
        SQLException refused = assertThrows(SQLException.class, source::getConnection);
        assertTrue(refused.getMessage().contains("forTarget"), refused.getMessage());
    }

    @Test
    void aTargetThatDoesNotExistIsSaidWithTheFix(Emulator emulator) {
        LakekeyDataSource source = Server.source(emulator);
        source.setTarget("projects/shop/branches/nowhere");
        SQLException refused = assertThrows(SQLException.class, source::getConnection);
        assertInstanceOf(LakekeyException.Target.class, refused.getCause());
        assertTrue(refused.getMessage().contains("nowhere"), refused.getMessage());
    }

    @Test
    void whatLakekeyDecidesCannotBeGiven(Emulator emulator) {
        LakekeyDataSource source = Server.source(emulator);
        SQLException password = assertThrows(SQLException.class, () -> source.getConnection("u", "planted"));
        assertTrue(password.getMessage().contains("lakekey gives the password"));
        assertFalse(whole(password).contains("planted"));
        source.setProperty("socketFactory", "x");
        assertTrue(assertThrows(SQLException.class, source::getConnection).getMessage().contains("socketFactory"));
    }

    @Test
    void driverPropertiesArePassedOn(Emulator emulator) throws Exception {
        LakekeyDataSource source = Server.source(emulator);
        source.setProperty("ApplicationName", "of mine");
        try (Connection connection = source.getConnection()) {
            assertEquals("of mine", Server.ask(connection, "SHOW application_name"));
        }
    }

    /** Until the last tenth of a token's life an outage costs nobody a login; after that a new client is told in time. */
    @ParameterizedTest
    @ValueSource(strings = {"status", "hang", "refuse"})
    void anOutageOfTheWorkspaceIsBridged(String kind, Emulator emulator) throws Exception {
        emulator.post("/tokens", Map.of("ttl_s", 8));
        LakekeyClient client = LakekeyClient.create(emulator.stranger().build());
        LakekeyDataSource source = LakekeyDataSource.forTarget(client, Server.request(emulator));
        source.getConnection().close();
        Credential credential = client.credential(Server.TARGET);
        Duration life = Duration.between(credential.issuedAt(), credential.expiresAt());
        Instant lastTenth = credential.expiresAt().minus(life.dividedBy(10)).minusMillis(300);
        Map<String, ?> action = kind.equals("status") ? Map.of("kind", kind, "status", 503) : Map.of("kind", kind);
        emulator.post("/faults", Map.of("action", action));
        int logins = 0;
        for (; Instant.now().isBefore(lastTenth); logins++) {
            source.getConnection().close();
        }
        assertTrue(logins > 10, logins + " logins");
        assertEquals(0, emulator.count("logins_refused"));
        LakekeyDataSource cold = Server.source(emulator);
        cold.setLoginTimeout(2);
        long began = System.nanoTime();
        SQLException refused = assertThrows(SQLException.class, cold::getConnection);
        assertTrue(System.nanoTime() - began < 10_000_000_000L, whole(refused));
        assertTrue(((LakekeyException) refused.getCause()).retryable(), whole(refused));
        emulator.admin("DELETE", "/faults", Map.of());
        cold.setLoginTimeout(0);
        cold.getConnection().close();
        source.getConnection().close();
    }

    @Test
    void aDeniedIdentityIsSaidWithWhereItCameFrom(Emulator emulator) {
        LakekeyDataSource source = LakekeyDataSource.forTarget(
                LakekeyClient.create(emulator.options().token("dapi-wrong-5a17").build()), Server.request(emulator));
        SQLException refused = assertThrows(SQLException.class, source::getConnection);
        LakekeyException cause = assertInstanceOf(LakekeyException.Auth.class, refused.getCause());
        assertEquals("AUTH_DENIED", cause.slug());
        assertTrue(cause.hint().isPresent());
        assertFalse(whole(refused).contains("dapi-wrong-5a17"));
    }

    @Test
    void theLoginTimeoutIsTheBudgetOfAll(Emulator emulator) throws Exception {
        LakekeyDataSource source = LakekeyDataSource.forTarget(
                LakekeyClient.create(emulator.stranger().host("http://127.0.0.1:9").build()), Server.request(emulator));
        source.setLoginTimeout(1);
        long began = System.nanoTime();
        SQLException refused = assertThrows(SQLException.class, source::getConnection);
        assertTrue(System.nanoTime() - began < 8_000_000_000L, whole(refused));
        assertFalse(whole(refused).contains("dapi-emulator"));
    }
}
