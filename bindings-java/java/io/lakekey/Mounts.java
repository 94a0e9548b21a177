package io.lakekey;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** Looks up how a directory's file system is mounted: a library that may not be run there is the usual trouble of hardened machines. */
final class Mounts {
    private Mounts() {}

    /** Whether it is known that nothing may be run from there. */
    static boolean noexec(Path folder) {
        try {
            return noexec(Files.readAllLines(Path.of("/proc/self/mounts")), folder.toAbsolutePath());
        } catch (IOException | RuntimeException unreadable) {
            return false;
        }
    }

    /** {@code mounts}: device, place, type and options in each line; the longest place that the folder is in counts. */
    static boolean noexec(List<String> mounts, Path folder) {
        Path longest = null;
        boolean noexec = false;
        for (String line : mounts) {
            String[] fields = line.split(" ");
            if (fields.length < 4) {
                continue;
            }
            Path place = Path.of(fields[1].replace("\\040", " "));
            // The last one of a place hides those before it.
            if (folder.startsWith(place) && (longest == null || place.getNameCount() >= longest.getNameCount())) {
                longest = place;
                noexec = Arrays.asList(fields[3].split(",")).contains("noexec");
            }
        }
        return noexec;
    }
}
