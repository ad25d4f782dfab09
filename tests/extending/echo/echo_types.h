/* The types of echo.idl that are written by hand. test_extending.py includes this file in libxl_uuid.h. */
typedef char **libxl_words;
typedef struct {
    int val;
} libxl_choice;
typedef struct {
    void *secret;
} libxl_opaque;
void libxl_words_dispose(libxl_words list);
