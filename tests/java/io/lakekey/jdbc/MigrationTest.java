package io.lakekey.jdbc;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.lakekey.Emulator;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import org.flywaydb.core.Flyway;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(Emulator.Fresh.class)
class MigrationTest {
    @Test
    void flywayMigrates(Emulator emulator, @TempDir Path folder) throws Exception {
        Files.writeString(folder.resolve("V1__shelf.sql"), "CREATE TABLE shelf (id int PRIMARY KEY); INSERT INTO shelf VALUES (7);");
        LakekeyDataSource source = Server.source(emulator);
        Flyway flyway = Flyway.configure()
                .dataSource(source)
                .schemas("flyway_" + System.nanoTime())
                .locations("filesystem:" + folder)
                .load();
        assertEquals(1, flyway.migrate().migrationsExecuted);
        try (Connection connection = source.getConnection()) {
            String schema = flyway.getConfiguration().getSchemas()[0];
            assertEquals("7", Server.ask(connection, "SELECT id FROM " + schema + ".shelf"));
        }
    }
}
