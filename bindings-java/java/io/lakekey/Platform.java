package io.lakekey;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** This machine, by the name that its native library has in the jar. */
final class Platform {
    private Platform() {}

    static String name() {
        String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String arch =
                switch (System.getProperty("os.arch").toLowerCase(Locale.ROOT)) {
                    case "amd64", "x86_64", "x64" -> "x64";
                    case "aarch64", "arm64" -> "arm64";
                    default -> System.getProperty("os.arch");
                };
        if (os.startsWith("linux")) {
            return "linux-" + arch + (musl() ? "-musl" : "-gnu");
        }
        if (os.startsWith("mac")) {
            return "darwin-" + arch;
        }
        return os.startsWith("windows") ? "win32-" + arch + "-msvc" : os + "-" + arch;
    }

    /** The library's file name, as the system has such names. */
    static String fileName() {
        return System.mapLibraryName("lakekey_java");
    }

    // The C library that this very JVM runs on; a machine may have both.
    private static boolean musl() {
        try {
            return Files.readString(Path.of("/proc/self/maps")).contains("/ld-musl-");
        } catch (IOException unreadable) {
            return false;
        }
    }
}
