package notes;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.zaxxer.hikari.HikariDataSource;
import org.junit.jupiter.api.Test;

/** Run below {@code lakekey emulate}, which sets the environment. */
class NotesTest {
    @Test
    void notesAreWrittenListedAndTickedOff() throws Exception {
        try (HikariDataSource pool = Notes.pool()) {
            Notes.run(pool, "migrate");
            assertEquals("", Notes.run(pool, "migrate"));
            String id = Notes.run(pool, "add", "buy 'milk'").strip().replace("note ", "");
            assertTrue(Notes.run(pool, "list").contains("buy 'milk'"));
            assertEquals("", Notes.run(pool, "done", id));
            assertEquals("there is no open note " + id + "\n", Notes.run(pool, "done", id));
        }
    }
}
