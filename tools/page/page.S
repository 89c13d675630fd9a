/* The page as it was built (empty without npm), for src/render/html.c. PAGE is its file. */
    .section .rodata
    .global squall_page, squall_page_end
squall_page:
    .incbin PAGE
squall_page_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
