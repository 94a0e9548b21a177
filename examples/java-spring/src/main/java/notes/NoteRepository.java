package notes;

import java.util.List;
import org.springframework.data.jpa.repository.JpaRepository;

/** The notes, by JPA. */
public interface NoteRepository extends JpaRepository<Note, Long> {
    List<Note> findByDoneFalseOrderById();
}
