package io.lakekey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.InputStream;
import java.lang.ref.WeakReference;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Where the native library comes from, and what class loaders do to it. */
@ExtendWith(Emulator.Fresh.class)
class LoaderTest {
    /** A guest in a class loader of its own: is given {@code host} and gives what it found. */
    public static final class Guest implements UnaryOperator<String> {
        @Override
        public String apply(String host) {
            if (host.isEmpty()) {
                NativeLibrary.load();
                return Native.version();
            }
            ClientOptions.Builder options =
                    ClientOptions.builder().host(host).target("projects/shop/branches/production");
            try (LakekeyClient client = LakekeyClient.create(options.tokenProvider(() -> "dapi-emulator").build())) {
                String token = client.token();
                client.tokenAsync().join();
                LakekeyClient.create(options.build());
                try (LakekeyClient failing = LakekeyClient.create(options.tokenProvider(() -> {
                            throw new IllegalStateException();
                        })
                        .build())) {
                    failing.token();
                } catch (LakekeyException expected) {
                    return token;
                }
                return "no failure";
            }
        }
    }

    private static URLClassLoader loader() throws Exception {
        List<URL> urls = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(java.io.File.pathSeparator)) {
            urls.add(Path.of(entry).toUri().toURL());
        }
        return new URLClassLoader(urls.toArray(URL[]::new), ClassLoader.getPlatformClassLoader());
    }

    @SuppressWarnings("unchecked")
    private static String inside(ClassLoader loader, String host) throws Exception {
        Class<?> guest = loader.loadClass(Guest.class.getName());
        assertNotSame(Guest.class, guest, "the loader has classes of its own");
        return ((UnaryOperator<String>) guest.getConstructor().newInstance()).apply(host);
    }

    private final Map<String, String> before = new TreeMap<>();

    private void set(String name, Object value) {
        before.putIfAbsent(name, System.getProperty(name, ""));
        System.setProperty(name, value.toString());
    }

    @AfterEach
    void properties() {
        before.forEach((name, value) -> {
            if (value.isEmpty()) {
                System.clearProperty(name);
            } else {
                System.setProperty(name, value);
            }
        });
    }

    private static LakekeyFailure refused(String host) throws Exception {
        try (URLClassLoader loader = loader()) {
            RuntimeException refused = assertThrows(RuntimeException.class, () -> inside(loader, host));
            assertEquals(LakekeyException.Config.class.getName(), refused.getClass().getName());
            return new LakekeyFailure(refused.getMessage());
        }
    }

    private record LakekeyFailure(String message) {
        void says(String... parts) {
            for (String part : parts) {
                assertTrue(message.contains(part), part + " is not in: " + message);
            }
        }
    }

    /** The library in the jar, as a file. */
    private static Path library(Path folder) throws Exception {
        Path file = folder.resolve(Platform.fileName());
        String inside = "/io/lakekey/natives/" + Platform.name() + "/" + Platform.fileName();
        try (InputStream from = LakekeyClient.class.getResourceAsStream(inside)) {
            Files.copy(from, file);
        }
        return file;
    }

    @Test
    void twoClassLoadersHaveALibraryEach(Emulator emulator) throws Exception {
        String host = emulator.env().get("DATABRICKS_HOST");
        try (URLClassLoader first = loader();
                URLClassLoader second = loader()) {
            assertEquals(3, inside(first, host).split("\\.").length);
            assertEquals(3, inside(second, host).split("\\.").length);
            assertEquals(3, inside(first, host).split("\\.").length);
        }
    }

    @Test
    void aClassLoaderThatNobodyUsesAnyMoreIsUnloaded(Emulator emulator) throws Exception {
        String host = emulator.env().get("DATABRICKS_HOST");
        for (int i = 0; i < 3; i++) {
            URLClassLoader loader = loader();
            inside(loader, host);
            loader.close();
            WeakReference<ClassLoader> gone = new WeakReference<>(loader);
            loader = null;
            Emulator.until(() -> {
                System.gc();
                return gone.get() == null;
            });
        }
        // Threads of the unloaded libraries may still run: nothing of them may crash this program.
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            client.token();
        }
    }

    @Test
    void thePathPropertyComesFirstAndMayServeTwoLoaders(@TempDir Path folder) throws Exception {
        set(NativeLibrary.PATH, library(folder));
        set(NativeLibrary.DIRECTORY, folder.resolve("not-looked-at"));
        try (URLClassLoader first = loader();
                URLClassLoader second = loader()) {
            String version = inside(first, "");
            set(NativeLibrary.DIRECTORY, folder.resolve("copies"));
            assertEquals(version, inside(second, ""), "the JVM refuses the same file, so it gets a copy");
        }
        assertFalse(Files.exists(folder.resolve("not-looked-at")));
    }

    @Test
    void theDirectoryPropertyIsLookedIntoAndThenUnpackedInto(@TempDir Path folder) throws Exception {
        set(NativeLibrary.DIRECTORY, folder);
        try (URLClassLoader first = loader()) {
            inside(first, "");
        }
        try (var left = Files.list(folder)) {
            assertEquals(List.of(), left.toList(), "the private copy is taken away once it is loaded");
        }
        Files.writeString(folder.resolve(Platform.fileName()), "no library");
        refused("").says(folder.resolve(Platform.fileName()).toString(), "cannot be loaded", NativeLibrary.DIRECTORY);
        Files.delete(folder.resolve(Platform.fileName()));
        library(folder);
        try (URLClassLoader second = loader()) {
            inside(second, "");
        }
    }

    @Test
    void aRelativeTempDirectoryIsMadeAbsolute() throws Exception {
        Path relative = Files.createTempDirectory(Path.of(""), "relative-");
        try {
            set("java.io.tmpdir", relative);
            try (URLClassLoader loader = loader()) {
                inside(loader, "");
            }
        } finally {
            Files.delete(relative);
        }
    }

    @Test
    @EnabledOnOs({OS.LINUX, OS.MAC})
    void thePrivateCopyIsInADirectoryForItsOwnerAlone(@TempDir Path folder) throws Exception {
        set(NativeLibrary.DIRECTORY, folder);
        Path made = NativeLibrary.privateFolder();
        assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(made)));
        assertTrue(made.startsWith(folder));
        Files.delete(made);
    }

    @Test
    void whatTheJarDoesNotSayIsNotLoaded(@TempDir Path folder) throws Exception {
        set(NativeLibrary.DIRECTORY, folder);
        Path library = library(Files.createDirectory(folder.resolve("x")));
        LakekeyException damaged = assertThrows(LakekeyException.Config.class, () -> {
            try (InputStream from = Files.newInputStream(library)) {
                NativeLibrary.loadCopy(from, "0".repeat(64));
            }
        });
        assertTrue(damaged.getMessage().contains("damaged"), damaged.getMessage());
    }

    @Test
    void aPathThatIsNoLibraryIsNamedWithItsProperty(@TempDir Path folder) throws Exception {
        set(NativeLibrary.PATH, folder.resolve("missing"));
        refused("").says(folder.resolve("missing").toString(), "is no file", NativeLibrary.PATH);
        Path text = folder.resolve("text");
        Files.writeString(text, "no library");
        set(NativeLibrary.PATH, text);
        refused("").says(text.toString(), "cannot be loaded", Platform.name());
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void aLibraryOfSomebodyElseIsNoticed() throws Exception {
        set(NativeLibrary.PATH, Path.of(System.getProperty("java.home"), "lib", "libjsig.so"));
        refused("").says("found a native library of version unknown", NativeLibrary.PATH);
    }

    @Test
    void aDirectoryThatCannotBeIsNamed(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("file");
        Files.writeString(file, "");
        set(NativeLibrary.DIRECTORY, file.resolve("below"));
        refused("").says(file.toString(), "cannot be unpacked", NativeLibrary.DIRECTORY);
    }

    @Test
    void theMountThatAFolderIsInIsFound() {
        List<String> mounts = List.of(
                "/dev/a / ext4 rw 0 0",
                "none /tmp tmpfs rw,nosuid,noexec,relatime 0 0",
                "none /tmp/ok tmpfs rw 0 0",
                "none /with\\040blank tmpfs noexec 0 0",
                "broken");
        assertTrue(Mounts.noexec(mounts, Path.of("/tmp/lakekey-1")));
        assertFalse(Mounts.noexec(mounts, Path.of("/tmp/ok/x")));
        assertFalse(Mounts.noexec(mounts, Path.of("/tmpfile")));
        assertTrue(Mounts.noexec(mounts, Path.of("/with blank/x")));
        assertFalse(Mounts.noexec(List.of(), Path.of("/x")));
    }

    /** Loads the library and says what came of it. */
    static final class Loads {
        public static void main(String[] arguments) {
            try {
                NativeLibrary.load();
                System.out.println("loaded");
            } catch (LakekeyException refused) {
                System.out.println(refused.slug() + " " + refused.getMessage());
            }
        }
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void aTempDirectoryThatNothingMayRunFromIsSaidWithTheProperty(@TempDir Path folder) throws Exception {
        Path mount = Files.createDirectory(folder.resolve("noexec"));
        // A mount of this child's own; a user needs no rights for it where the system lets users have namespaces.
        List<String> shell = List.of(
                "unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
                "mount -t tmpfs -o noexec none \"$0\" && exec \"$@\"", mount.toString());
        List<String> probe = new ArrayList<>(shell);
        probe.add("true");
        if (Child.run(null, probe).exit() != 0) {
            // A container may forbid that; then it usually has such a mount.
            shell = List.of();
            mount = Path.of("/dev/shm");
            assumeTrue(Mounts.noexec(mount), "no noexec mount can be had here");
        }
        List<String> command = new ArrayList<>(shell);
        command.addAll(Child.command(Loads.class, List.of("-Djava.io.tmpdir=" + mount)));
        new LakekeyFailure(Child.run(null, command).output())
                .says("CONFIG_INVALID", mount.toString(), "noexec", "-D" + NativeLibrary.DIRECTORY + "=DIR");

        command = new ArrayList<>(shell);
        String better = "-D" + NativeLibrary.DIRECTORY + "=" + folder.resolve("better");
        command.addAll(Child.command(Loads.class, List.of("-Djava.io.tmpdir=" + mount, better)));
        assertTrue(Child.run(null, command).output().contains("loaded"), "and doing what it says helps");
    }

    @Test
    void everyNativeMethodIsInTheLibraryAndNothingElseIs(@TempDir Path folder) throws Exception {
        String text = new String(Files.readAllBytes(library(folder)), java.nio.charset.StandardCharsets.ISO_8859_1);
        var shown = new java.util.TreeSet<String>();
        var names = java.util.regex.Pattern.compile("Java_io_lakekey_Native_(\\w+)").matcher(text);
        while (names.find()) {
            shown.add(names.group(1));
        }
        var declared = new java.util.TreeSet<String>();
        for (var method : Native.class.getDeclaredMethods()) {
            if (java.lang.reflect.Modifier.isNative(method.getModifiers())) {
                declared.add(method.getName());
            }
        }
        assertEquals(declared, shown);
    }
}
