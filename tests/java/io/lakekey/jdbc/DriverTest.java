package io.lakekey.jdbc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lakekey.Emulator;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Map;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@ExtendWith(Emulator.Fresh.class)
class DriverTest {
    @ParameterizedTest
    @CsvSource(nullValues = "-", value = {
        "projects/shop, projects/shop, -",
        "projects/shop/app, projects/shop, app",
        "projects/shop/branches/dev, projects/shop/branches/dev, -",
        "projects/shop/branches/dev/app, projects/shop/branches/dev, app",
        "projects/shop/branches/dev/endpoints/ro/app, projects/shop/branches/dev/endpoints/ro, app",
        "//projects/shop/branches/dev/app, projects/shop/branches/dev, app",
        "shop.production/app, shop.production, app",
        "shop, shop, -",
        "shop/, shop, -",
        "/app, '', app",
        "'', '', -",
        "shop/a%2Fb, shop, a/b",
        "ep-a-b-1a2b3c4d.database.localhost/app, ep-a-b-1a2b3c4d.database.localhost, app",
        // A database may have the name of a collection.
        "projects/shop/branches, projects/shop, branches",
    })
    void aUrlNamesTargetAndDatabase(String place, String target, String database) throws SQLException {
        String[] parts = LakekeyDriver.split(place);
        assertEquals(target, parts[0]);
        assertEquals(database, parts[1]);
    }

    @ParameterizedTest
    @ValueSource(strings = {"projects", "shop/app/more", "projects/shop/branches/dev/app/more", "shop/%zz"})
    void aUrlThatCannotBeMeantIsRefused(String place) {
        SQLException refused =
                assertThrows(SQLException.class, () -> new LakekeyDriver().connect("jdbc:lakekey:" + place, null));
        assertTrue(refused.getMessage().startsWith("the URL "), refused.getMessage());
    }

    @Test
    void otherUrlsAreLeftToOthers() throws SQLException {
        assertNull(new LakekeyDriver().connect("jdbc:postgresql://h/d", new Properties()));
        assertFalse(new LakekeyDriver().acceptsURL("jdbc:postgresql:d"));
    }

    @Test
    void theDriverManagerFindsIt(Emulator emulator) throws Exception {
        String url = "jdbc:lakekey:" + Server.TARGET + "/postgres"
                + Server.properties(emulator, Map.of("ApplicationName", "by url"));
        try (Connection connection = DriverManager.getConnection(url)) {
            assertEquals("postgres", Server.ask(connection, "SELECT current_database()"));
            assertEquals("by url", Server.ask(connection, "SHOW application_name"));
        }
        try (Connection connection = DriverManager.getConnection(url, "data engineers", "")) {
            assertEquals("data engineers", Server.ask(connection, "SELECT current_user"));
        }
    }

    @Test
    void connectionsOfOneUrlShareACredential(Emulator emulator) throws Exception {
        String url = "jdbc:lakekey:" + Server.TARGET + Server.properties(emulator, Map.of("lakekey.ttl", "1700"));
        for (int i = 0; i < 5; i++) {
            DriverManager.getConnection(url).close();
        }
        assertEquals(1, emulator.mints());
    }

    @ParameterizedTest
    @CsvSource({
        "lakekey.nonsense=1, nonsense",
        "lakekey.timeout=soon, lakekey.timeout",
        "lakekey.ttl=-1, lakekey.ttl",
        "port=x, port",
        "port=70000, port",
        "loginTimeout=x, loginTimeout",
        "PGHOST=h, PGHOST",
        "password=planted-5a17, lakekey gives the password",
        "sslmode=nonsense, sslmode",
        "lonely, without a value",
    })
    void aPropertyThatCannotBeUsedIsNamed(String property, String named, Emulator emulator) {
        String url = "jdbc:lakekey:" + Server.TARGET + Server.properties(emulator, Map.of()) + "&" + property;
        SQLException refused = assertThrows(SQLException.class, () -> DriverManager.getConnection(url));
        assertTrue(refused.getMessage().contains(named), refused.getMessage());
        assertFalse(refused.getMessage().contains("planted-5a17"));
    }
}
