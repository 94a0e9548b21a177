package io.lakekey;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Properties;

/**
 * Finds and loads the native library, once for each class loader that has these classes:
 *
 * <ol>
 *   <li>the file that the system property {@code lakekey.native.path} names;
 *   <li>a file of the library's own name in the directory that {@code lakekey.native.dir} names;
 *   <li>a private copy of the one in the jar, below {@code lakekey.native.dir}, else below {@code java.io.tmpdir}.
 * </ol>
 *
 * A JVM loads one file for one class loader only, so a second loader gets a copy of a file that another has.
 */
final class NativeLibrary {
    static final String PATH = "lakekey.native.path";
    static final String DIRECTORY = "lakekey.native.dir";

    private static boolean loaded;

    private NativeLibrary() {}

    /** Loads the library unless that was done. After a failure the next call tries again. */
    static synchronized void load() {
        if (loaded) {
            return;
        }
        String path = System.getProperty(PATH);
        String directory = System.getProperty(DIRECTORY);
        Path own = directory == null ? null : Path.of(directory).toAbsolutePath().resolve(Platform.fileName());
        if (path != null) {
            given(Path.of(path).toAbsolutePath(), "the system property " + PATH + " names");
        } else if (own != null && Files.exists(own)) {
            given(own, "the system property " + DIRECTORY + " leads to");
        } else {
            unpacked();
        }
        same(version());
        loaded = true;
    }

    /** Checks that jar and library belong together. */
    private static void same(String expected) {
        String found;
        try {
            found = Native.version();
        } catch (UnsatisfiedLinkError none) {
            found = "unknown";
        }
        if (!expected.equals(found)) {
            throw Failure.config(
                            "the jar of lakekey " + expected + " found a native library of version " + found,
                            "Take " + PATH + " and " + DIRECTORY + " away, or point them to the same version")
                    .exception();
        }
    }

    private static void given(Path file, String who) {
        if (!Files.isRegularFile(file)) {
            throw Failure.config(who + " " + file + ", which is no file", "Correct the property, or take it away")
                    .exception();
        }
        try {
            System.load(file.toString());
        } catch (UnsatisfiedLinkError problem) {
            if (String.valueOf(problem.getMessage()).contains("already loaded in another classloader")) {
                copied(file);
                return;
            }
            throw Failure.config(
                            who + " " + file + ", which cannot be loaded: " + problem.getMessage(),
                            "It must be lakekey's library for " + Platform.name())
                    .exception(problem);
        }
    }

    private static void copied(Path file) {
        try (InputStream from = Files.newInputStream(file)) {
            loadCopy(from, null);
        } catch (IOException problem) {
            throw Failure.config(file + " cannot be copied: " + problem, null).exception(problem);
        }
    }

    private static void unpacked() {
        String folder = "/io/lakekey/natives/" + Platform.name() + "/";
        try (InputStream from = NativeLibrary.class.getResourceAsStream(folder + Platform.fileName());
                InputStream sum = NativeLibrary.class.getResourceAsStream(folder + "sha256")) {
            if (from == null || sum == null) {
                throw Failure.config(
                                "this jar of lakekey has no native library for " + Platform.name(),
                                "Build one (cargo build --release --package lakekey-java) and name it by the system property "
                                        + PATH)
                        .exception();
            }
            loadCopy(from, new String(sum.readAllBytes(), StandardCharsets.US_ASCII).strip());
        } catch (IOException problem) {
            throw Failure.config(
                            "the native library cannot be unpacked below " + base() + ": " + problem,
                            "Name a directory with room, from which programs may be run, by the system property " + DIRECTORY)
                    .exception(problem);
        }
    }

    /** Loads a copy from a directory that nobody else may look into, and takes the copy away where that is possible. */
    static void loadCopy(InputStream from, String sum) throws IOException {
        Path folder = privateFolder();
        Path copy = folder.resolve(Platform.fileName());
        try {
            String found = copy(from, copy);
            if (sum != null && !sum.equals(found)) {
                throw Failure.config(
                                copy + " is not what the jar says: its SHA-256 is " + found + " instead of " + sum,
                                "The jar is damaged; install it anew")
                        .exception();
            }
            System.load(copy.toString());
        } catch (UnsatisfiedLinkError problem) {
            throw refused(folder, problem);
        } finally {
            // Windows keeps a loaded file; there both are left behind.
            copy.toFile().delete();
            folder.toFile().delete();
        }
    }

    private static LakekeyException refused(Path folder, UnsatisfiedLinkError problem) {
        String said = String.valueOf(problem.getMessage());
        if (Mounts.noexec(folder) || said.contains("failed to map segment")) {
            return Failure.config(
                            "no program may be run from " + base() + ": its file system is mounted noexec",
                            "Name a directory from which programs may be run by the system property " + DIRECTORY
                                    + " (-D" + DIRECTORY + "=DIR), or the library itself by " + PATH)
                    .exception(problem);
        }
        return Failure.config(
                        "the native library for " + Platform.name() + " cannot be loaded: " + said,
                        "Name one that fits this machine by the system property " + PATH)
                .exception(problem);
    }

    static Path privateFolder() throws IOException {
        Path base = base();
        Files.createDirectories(base);
        if (!base.getFileSystem().supportedFileAttributeViews().contains("posix")) {
            return Files.createTempDirectory(base, "lakekey-");
        }
        FileAttribute<?> onlyOwner =
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
        Path folder = Files.createTempDirectory(base, "lakekey-", onlyOwner);
        String mode = PosixFilePermissions.toString(Files.getPosixFilePermissions(folder));
        if (!mode.equals("rwx------")) {
            folder.toFile().delete();
            throw Failure.config(
                            folder + " was made for its owner alone and is " + mode,
                            "Name a directory on a file system that keeps modes by the system property " + DIRECTORY)
                    .exception();
        }
        return folder;
    }

    private static Path base() {
        // Relative ones would be read against another directory by the system's loader.
        return Path.of(System.getProperty(DIRECTORY, System.getProperty("java.io.tmpdir"))).toAbsolutePath();
    }

    private static String copy(InputStream from, Path to) throws IOException {
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException missing) {
            throw new IllegalStateException("every JVM has SHA-256", missing);
        }
        try (DigestOutputStream out = new DigestOutputStream(Files.newOutputStream(to), digest)) {
            from.transferTo(out);
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private static String version() {
        Properties about = new Properties();
        try (InputStream from = NativeLibrary.class.getResourceAsStream("/io/lakekey/about.properties")) {
            about.load(from);
        } catch (IOException | NullPointerException damaged) {
            throw Failure.config("the jar of lakekey lacks about.properties", "Install it anew").exception(damaged);
        }
        return about.getProperty("version");
    }
}
