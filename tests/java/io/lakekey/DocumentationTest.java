package io.lakekey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** What a newcomer reads: the README's Java runs as it stands there, and the reference is whole. */
@Tag("jdk")
@ExtendWith(Emulator.Fresh.class)
class DocumentationTest {
    private static final Path ROOT = Path.of(System.getProperty("basedir", "")).resolve("../..").normalize();

    private static void tool(String name, List<String> arguments) {
        StringWriter said = new StringWriter();
        PrintWriter out = new PrintWriter(said);
        int failed = ToolProvider.findFirst(name).orElseThrow().run(out, out, arguments.toArray(String[]::new));
        assertEquals(0, failed, said.toString());
    }

    @Test
    void theJavaOfTheReadmeRuns(Emulator emulator, @TempDir Path folder) throws Exception {
        Matcher blocks = Pattern.compile("^```java\n(.*?)^```", Pattern.DOTALL | Pattern.MULTILINE)
                .matcher(Files.readString(ROOT.resolve("README.md")));
        int found = 0;
        while (blocks.find()) {
            String code = blocks.group(1);
            Matcher name = Pattern.compile("^class (\\w+)", Pattern.MULTILINE).matcher(code);
            assertTrue(name.find(), "a whole program: " + code);
            Path source = folder.resolve(name.group(1) + ".java");
            Files.writeString(source, code);
            String classes = System.getProperty("java.class.path");
            tool("javac", List.of("-d", folder.toString(), "-cp", classes, source.toString()));
            Child.Told told = Child.run(
                    emulator,
                    List.of(
                            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                            "-cp",
                            folder + java.io.File.pathSeparator + classes,
                            name.group(1)));
            assertEquals(0, told.exit(), told.output());
            assertTrue(told.output().contains("user@emulator.test"), told.output());
            found++;
        }
        assertTrue(found >= 1, "the README has Java");
    }

    @Test
    void theReferenceIsMadeWithoutAWarning(@TempDir Path folder) throws Exception {
        List<String> arguments = new ArrayList<>(List.of(
                "-quiet",
                "-Xdoclint:all",
                "-Werror",
                "-encoding",
                "UTF-8",
                "-classpath",
                System.getProperty("java.class.path"),
                "-d",
                folder.toString()));
        for (String sources : List.of("bindings-java/java", "bindings-java/generated")) {
            try (var files = Files.walk(ROOT.resolve(sources))) {
                files.filter(file -> file.toString().endsWith(".java")).map(Path::toString).forEach(arguments::add);
            }
        }
        tool("javadoc", arguments);
        assertTrue(Files.exists(folder.resolve("io/lakekey/LakekeyClient.html")));
        assertTrue(Files.exists(folder.resolve("io/lakekey/postgres/Branch.html")));
    }
}
