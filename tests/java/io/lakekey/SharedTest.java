package io.lakekey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** One mint for the processes that are told to share it. */
@ExtendWith(Emulator.Fresh.class)
@EnabledOnOs({OS.LINUX, OS.MAC})
class SharedTest {
    /** Says what a driver would get, with credentials that are shared in a directory. */
    static final class Neighbour {
        public static void main(String[] arguments) throws Exception {
            ClientOptions options = ClientOptions.builder()
                    .sharedCredentials(System.getProperty("shared"))
                    .build();
            try (LakekeyClient client = LakekeyClient.create(options)) {
                ConnectParams params = client.connectParams();
                System.out.println(params.user() + " " + params.get("host") + " " + params.password().hashCode());
            }
        }
    }

    @Test
    void whatOneProcessMintedServesTheNextWhileTheWorkspaceIsAway(Emulator emulator, @TempDir Path folder)
            throws Exception {
        Path shared = Files.createDirectory(
                folder.resolve("keys"), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        Child.Told first = Child.run(emulator, Neighbour.class, "-Dshared=" + shared);
        assertEquals(0, first.exit(), first.output());
        emulator.post("/faults", Map.of("action", Map.of("kind", "status", "status", 503)));
        Child.Told second = Child.run(emulator, Neighbour.class, "-Dshared=" + shared);
        assertEquals(0, second.exit(), second.output());
        assertEquals(first.output(), second.output());
        assertEquals(1, emulator.count("mints"));
        try (var files = Files.list(shared)) {
            List<Path> all = files.toList();
            assertTrue(!all.isEmpty());
            for (Path file : all) {
                assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
            }
        }
    }

    @Test
    void aRequiredDirectoryThatCannotBeUsedIsAnErrorThatNamesIt(Emulator emulator, @TempDir Path folder) {
        String missing = folder.resolve("nowhere/keys").toString();
        ClientOptions options =
                emulator.stranger().sharedCredentials("required:" + missing).build();
        try (LakekeyClient client = LakekeyClient.create(options)) {
            LakekeyException error = assertThrows(LakekeyException.class, client::token);
            assertEquals("SHARED_DIRECTORY", error.slug());
            assertTrue(error.getMessage().contains(missing), error.getMessage());
        }
    }
}
